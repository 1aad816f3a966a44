/// A copy of `elements` in memory of its own, which the caller deallocates.
@unsafe
func copyToMemory<Element: BitwiseCopyable>(_ elements: [Element]) -> UnsafeMutablePointer<Element> {
    let memory = UnsafeMutablePointer<Element>.allocate(capacity: max(elements.count, 1))
    for (index, element) in elements.enumerated() {
        unsafe (memory + index).initialize(to: element)
    }
    return unsafe memory
}
