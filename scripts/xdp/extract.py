#!/usr/bin/env python3
"""Turn the compiled redirect program (an ELF object of clang's bpf target) into the Swift file that carries it.

usage: extract.py OBJECT SOURCE > RedirectProgramBytes.swift

OBJECT is what scripts/xdp/build compiled from SOURCE. The program lies in section "xdp"; where it names a map, a relocation
R_BPF_64_64 says which (Linux, Documentation/bpf/llvm_reloc.rst).
"""
import struct
import sys


def sections(data):
    """Each section's name, header fields and bytes, in the file's order (elf(5), Elf64_Shdr)."""
    table, = struct.unpack_from("<Q", data, 40)
    size, count, names = struct.unpack_from("<HHH", data, 58)
    headers = [struct.unpack_from("<IIQQQQIIQQ", data, table + size * number) for number in range(count)]
    text = headers[names]
    found = []
    for header in headers:
        start = text[4] + header[0]
        name = data[start:data.index(b"\0", start)].decode()
        # A section of type 8 (SHT_NOBITS) has no bytes in the file.
        content = b"" if header[1] == 8 else data[header[4]:header[4] + header[5]]
        found.append((name, header, content))
    return found


def program(path):
    """The instructions as 64-bit numbers, and which of them load the address of which map."""
    with open(path, "rb") as file:
        data = file.read()
    if data[:5] != b"\x7fELF\x02":
        sys.exit(f"{path}: not a 64-bit ELF object")
    found = sections(data)
    named = {name: (header, content) for name, header, content in found}
    symbols, strings = named[".symtab"][1], named[".strtab"][1]
    code = named["xdp"][1]
    instructions = [number for number, in struct.iter_unpack("<Q", code)]
    maps = []
    for offset, info in struct.iter_unpack("<QQ", named[".relxdp"][1]):
        if info & 0xffffffff != 1:
            sys.exit(f"{path}: relocation of type {info & 0xffffffff} at {offset:#x}, expected R_BPF_64_64 (1)")
        start, = struct.unpack_from("<I", symbols, (info >> 32) * 24)
        maps.append((offset // 8, strings[start:strings.index(b"\0", start)].decode()))
    return instructions, maps


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    instructions, maps = program(sys.argv[1])
    print(f"// Compiled from {sys.argv[2]} by scripts/xdp/build, which also checks that both agree. Not edited by hand.")
    print()
    print("extension RedirectProgram {")
    print("    /// The instructions (`struct bpf_insn` as a little-endian number); those that load a map hold 0 in its place.")
    print("    static let instructions: [UInt64] = [")
    for first in range(0, len(instructions), 5):
        print("        " + " ".join(f"0x{number:016x}," for number in instructions[first:first + 5]))
    print("    ]")
    print()
    print("    /// Which instructions load the address of which map.")
    print("    static let references: [Reference] = [")
    for number, name in maps:
        print(f"        Reference(instruction: {number}, map: .{name}),")
    print("    ]")
    print("}")


main()
