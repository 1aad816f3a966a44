/// The greatest common divisor of weights.
enum GreatestCommonDivisor {
    /// Of positive numbers; 0 when there are none.
    static func of(_ numbers: [Int32]) -> Int32 {
        numbers.reduce(0) { divisor, number in
            var (left, right) = (divisor, number)
            while right != 0 { (left, right) = (right, left % right) }
            return left
        }
    }
}
