import Balancer

/// The glimpses of a batch's frames, by place. In memory of its own, since an array that a method reads would be copied.
@safe
struct Glimpses: ~Copyable {
    /// Frames of a batch.
    @inline(__always)
    static var count: Int { 64 }
    private let glimpses: UnsafeMutablePointer<Glimpse>

    init() {
        unsafe glimpses = .allocate(capacity: Self.count)
        unsafe glimpses.initialize(repeating: .nothing, count: Self.count)
    }

    deinit { unsafe glimpses.deallocate() }

    subscript(place: Int) -> Glimpse {
        @inline(__always) get { unsafe glimpses[place] }
        @inline(__always) nonmutating set { unsafe glimpses[place] = newValue }
    }
}
