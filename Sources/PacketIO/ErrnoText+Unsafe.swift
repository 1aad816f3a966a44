import Glibc

/// The C library's words for an errno. Thread-safe since glibc 2.32, whose buffer is the thread's own.
func errnoText(_ number: Int32) -> String {
    guard let text = unsafe strerror(number) else { return "error \(number)" }
    return unsafe String(cString: text)
}
