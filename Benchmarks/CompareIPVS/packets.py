"""Packets as the conformance part makes them, and frames in words, with the verdict on every checksum."""

import ipaddress
import struct

TCP_FLAGS = "FSRPAUEC"
ICMP, TCP, UDP, ICMP6 = 1, 6, 17, 58


def checksum(data, start=0):
    data = bytes(data) + b"\0" * (len(data) % 2)
    total = start + sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def packed(address):
    return ipaddress.ip_address(address).packed


def pseudo(source, target, protocol, length):
    return source + target + struct.pack(">II", length, protocol)


def with_checksum(segment, at, source, target, protocol):
    total = checksum(pseudo(packed(source), packed(target), protocol, len(segment)) + segment)
    if protocol == UDP and total == 0:
        total = 0xFFFF
    return segment[:at] + struct.pack(">H", total) + segment[at + 2 :]


def tcp(source, target, sport, dport, seq, ack, flags, data=b"", window=8192, options=b""):
    bits = sum(1 << TCP_FLAGS.index(flag) for flag in flags)
    size = (20 + len(options)) // 4 << 4
    head = struct.pack(">HHIIBBHHH", sport, dport, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, size, bits, window, 0, 0)
    return with_checksum(head + options + data, 16, source, target, TCP)


def udp(source, target, sport, dport, data=b""):
    return with_checksum(struct.pack(">HHHH", sport, dport, 8 + len(data), 0) + data, 6, source, target, UDP)


def icmp(kind, code, rest, data):
    body = struct.pack(">BBHI", kind, code, 0, rest) + data
    return body[:2] + struct.pack(">H", checksum(body)) + body[4:]


def icmp6(source, target, kind, code, rest, data):
    return with_checksum(struct.pack(">BBHI", kind, code, 0, rest) + data, 2, source, target, ICMP6)


def ip(source, target, protocol, data, number=1, ttl=64, df=False, more=False, offset=0):
    """An IPv4 or IPv6 packet, by the addresses' family; fragments are IPv4's."""
    if ":" in source:
        return struct.pack(">IHBB", 6 << 28, len(data), protocol, ttl) + packed(source) + packed(target) + data
    fragment = (0x4000 if df else 0) | (0x2000 if more else 0) | offset // 8
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(data), number, fragment, ttl, protocol, 0)
    head += packed(source) + packed(target)
    return head[:10] + struct.pack(">H", checksum(head)) + head[12:] + data


def ether(target_mac, source_mac, packet):
    kind = 0x86DD if packet[0] >> 4 == 6 else 0x0800
    return bytes.fromhex(target_mac.replace(":", "") + source_mac.replace(":", "")) + struct.pack(">H", kind) + packet


# ---- in words -----------------------------------------------------------------------------------------------------


def digest(data):
    return f" data {len(data)}" + (f" {data[:24].hex()}{'...' if len(data) > 24 else ''}" if data else "")


def verdict(data, source, target, protocol):
    return "" if checksum(pseudo(source, target, protocol, len(data)) + data) == 0 else " BAD-CHECKSUM"


def words_of_transport(protocol, data, source, target, known_numbers):
    if protocol == TCP and len(data) >= 20:
        sport, dport, seq, ack, size, bits, window = struct.unpack(">HHIIBBH", data[:16])
        flags = "".join(flag for at, flag in enumerate(TCP_FLAGS) if bits >> at & 1)
        options = data[20 : size // 16 * 4]
        return (f"tcp {sport}>{dport} {flags or '-'} seq {seq} ack {ack} win {window}"
                + (f" options {options.hex()}" if options else "") + digest(data[size // 16 * 4 :])
                + verdict(data, source, target, TCP))
    if protocol == UDP and len(data) >= 8:
        sport, dport, length, sum_ = struct.unpack(">HHHH", data[:8])
        bad = verdict(data, source, target, UDP) if sum_ else " no-checksum"
        return f"udp {sport}>{dport} length {length}" + digest(data[8:]) + bad
    if protocol == ICMP and len(data) >= 8:
        kind, code, _, rest = struct.unpack(">BBHI", data[:8])
        bad = "" if checksum(data) == 0 else " BAD-CHECKSUM"
        return f"icmp {kind}/{code} rest {rest:#x}" + quoted(data[8:], kind in (3, 4, 5, 11, 12), known_numbers) + bad
    if protocol == ICMP6 and len(data) >= 8:
        kind, code, _, rest = struct.unpack(">BBHI", data[:8])
        return (f"icmp6 {kind}/{code} rest {rest:#x}" + quoted(data[8:], kind < 128, known_numbers)
                + verdict(data, source, target, ICMP6))
    if protocol == 4:
        return "[ " + words_of_packet(data, known_numbers) + " ]"
    return f"protocol {protocol}" + digest(data)


def quoted(data, error, known_numbers):
    if not error or len(data) < 20:
        return digest(data)
    return f" quotes {len(data)} ( " + words_of_packet(data, known_numbers, whole=False) + " )"


def words_of_packet(packet, known_numbers, whole=True):
    """IPv4 identifications that were not sent are the director's own choice, and given as *."""
    if packet[0] >> 4 == 6:
        length, protocol, ttl = struct.unpack(">HBB", packet[4:8])
        source, target, data = packet[8:24], packet[24:40], packet[40:]
        head = f"{ipaddress.ip_address(source)}>{ipaddress.ip_address(target)} hops {ttl}"
        if whole and length != len(data):
            head += f" LENGTH {length}"
        fragmented = False
    else:
        size = (packet[0] & 15) * 4
        _, tos, length, number, fragment, ttl, protocol = struct.unpack(">BBHHHBB", packet[:10])
        source, target, data = packet[12:16], packet[16:20], packet[size : length if whole else None]
        head = f"{ipaddress.ip_address(source)}>{ipaddress.ip_address(target)} ttl {ttl}"
        head += f" id {number if number in known_numbers else '*'}" + (f" tos {tos}" if tos else "")
        head += " df" if fragment & 0x4000 else ""
        fragmented = bool(fragment & 0x3FFF)
        if fragmented:
            head += f" offset {(fragment & 0x1FFF) * 8}{' more' if fragment & 0x2000 else ''}"
        if checksum(packet[:size]) != 0:
            head += " BAD-HEADER-CHECKSUM"
    if fragmented:
        return f"{head} protocol {protocol}" + digest(data)
    if not whole:
        return f"{head} protocol {protocol}" + digest(data[:8])
    return f"{head} " + words_of_transport(protocol, data, source, target, known_numbers)


def words_of_frame(frame, known_numbers):
    target = ":".join(f"{byte:02x}" for byte in frame[:6])
    return f"to {target} " + words_of_packet(frame[14:], known_numbers)


def is_noise(frame):
    """ARP, neighbour and multicast listener discovery: not what is compared."""
    kind = struct.unpack(">H", frame[12:14])[0]
    if kind == 0x86DD:
        return frame[20] == 0 or (frame[20] == ICMP6 and frame[54] in (130, 131, 132, 133, 134, 135, 136, 143))
    return kind != 0x0800
