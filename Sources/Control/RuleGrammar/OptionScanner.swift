/// Splits a command line into options and other words, by the rules of popt, which ipvsadm uses.
///
/// Letters may be bundled (`-Ln`); a value is the rest of the bundle (`-w5`, `-w=5`) or the next word; a long option's
/// value follows `=` or is the next word; `--` ends the options; other words may stand anywhere and are kept.
struct OptionScanner {
    /// What was found next.
    enum Event {
        /// An option, with its value if it has one, as it was written (a bundle as a whole).
        case option(OptionSpecification, value: String?)
        /// An option that cannot be taken, and why in popt's words.
        case failure(written: String, reason: String)
        /// No option is left.
        case end
    }

    private let words: [String]
    /// The command, once it is known: some options are its own.
    var command: CommandName?
    private var next = 0
    private var bundle: Substring.UnicodeScalarView?
    private var onlyWords = false
    /// The words that are not options, in order; complete after `end`.
    private(set) var leftovers: ArraySlice<String> = []

    /// Scan these words, the program's name left out.
    init(_ words: [String]) {
        self.words = words
    }

    /// The word that was looked at last, which messages show.
    var current: String { next > 0 && next <= words.count ? words[next - 1] : "" }

    /// The next option; words in between are kept aside.
    mutating func nextOption() -> Event {
        while true {
            if let letters = bundle, let letter = letters.first { return bundled(letter, of: letters) }
            guard next < words.count else { return .end }
            let word = words[next]
            next += 1
            if onlyWords || word == "-" || !word.hasPrefix("-") {
                leftovers.append(word)
            } else if word == "--" {
                onlyWords = true
            } else if word.hasPrefix("--") {
                return long(word.dropFirst(2), written: word)
            } else {
                bundle = word.dropFirst().unicodeScalars
            }
        }
    }

    /// Take the next word that is not an option away.
    mutating func takeLeftover() -> String? { leftovers.popFirst() }

    private mutating func bundled(_ letter: Unicode.Scalar, of letters: Substring.UnicodeScalarView) -> Event {
        guard let option = OptionTable.option(letter: letter, of: command) else {
            bundle = nil
            return .failure(written: current, reason: Self.unknown)
        }
        var rest = letters.dropFirst()
        let isAssigned = rest.first == "="
        if isAssigned { rest = rest.dropFirst() }
        if case .none = option.argument {
            guard !isAssigned else {
                bundle = nil
                return .failure(written: current, reason: Self.unwanted)
            }
            bundle = rest.isEmpty ? nil : rest
            return .option(option, value: nil)
        }
        bundle = nil
        if letter == "b", rest.isEmpty, !isAssigned, isFullNAT { return .option(OptionTable.fullNAT, value: nil) }
        return rest.isEmpty ? valueFromNextWord(option) : .option(option, value: String(rest))
    }

    private mutating func long(_ text: Substring, written: String) -> Event {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard let name = parts.first, let option = OptionTable.option(named: name, of: command) else {
            return .failure(written: written, reason: Self.unknown)
        }
        if parts.count > 1 {
            if case .none = option.argument { return .failure(written: written, reason: Self.unwanted) }
            return .option(option, value: String(parts[1]))
        }
        if case .none = option.argument { return .option(option, value: nil) }
        return valueFromNextWord(option)
    }

    /// Whether `-b` is DPVS's, which takes no value, rather than ipvsadm's `--sched-flags`, which a destination does not
    /// have: only where no value follows, so that ipvsadm's words about one that does stay.
    private var isFullNAT: Bool {
        guard command == .addDestination || command == .editDestination else { return false }
        return next >= words.count || words[next].hasPrefix("-")
    }

    private mutating func valueFromNextWord(_ option: OptionSpecification) -> Event {
        let isOptional = if case .optional = option.argument { true } else { false }
        guard next < words.count else {
            return isOptional ? .option(option, value: nil) : .failure(written: current, reason: Self.missing)
        }
        if isOptional, words[next].hasPrefix("-") { return .option(option, value: nil) }
        next += 1
        return .option(option, value: words[next - 1])
    }

    private static let unknown = "unknown option"
    private static let missing = "missing argument"
    private static let unwanted = "option does not take an argument"
}
