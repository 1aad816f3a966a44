import Configuration
import Foundation
import Testing

@testable import Control

@Suite struct StateFileTests {
    static func file(_ serial: Int = 3, yaml: String = RuleBed.yaml) throws -> StateFile {
        StateFile(
            serial: serial, time: Date(timeIntervalSince1970: 1_763_886_000), origin: "apply fairlead.yaml",
            rules: try ConfigurationFile(yaml: yaml).rules)
    }

    @Test func comesBack() throws {
        let file = try Self.file()
        let read = try StateFile(Data(file.text.utf8))
        #expect(read == file && read.head.services == 2 && read.head.destinations == 5)
        #expect(try read.ruleState() == (try ConfigurationFile(yaml: RuleBed.yaml).rules))
        #expect(file.text.hasPrefix("# fairlead state 1\n# serial 3\n# time 2025-11-23T08:20:00Z\n"))
        // It is a fairlead.yaml too.
        #expect(try ConfigurationFile(yaml: file.text).rules == read.ruleState())
    }

    @Test func aTornFileIsRefusedWhereverItIsCut() throws {
        let bytes = Data(try Self.file().text.utf8)
        for length in 0..<bytes.count {
            #expect(throws: ControlError.self, "cut at \(length)") { try StateFile(bytes.prefix(length)) }
        }
    }

    @Test func aChangedOrForeignFileIsRefusedWithTheReason() throws {
        func error(_ text: String) -> String? {
            do throws(ControlError) {
                _ = try StateFile(Data(text.utf8))
                return nil
            } catch {
                return error.description
            }
        }
        let text = try Self.file().text
        #expect(error(text.replacing("198.18.2.11:80", with: "198.18.2.19:80"))?.contains("checksum") == true)
        #expect(error("services: []\n")?.contains("no state of this Fairlead") == true)
        #expect(error(text.replacing("state 1", with: "state 2"))?.contains("no state of this Fairlead") == true)
        #expect(error(text + "x")?.contains("torn") == true)
        #expect(error(text.replacing("# serial 3", with: "# serial x"))?.contains("damaged") == true)
        #expect(error("")?.contains("empty") == true)
    }

    /// The value of the reference (draft-eastlake-fnv, "foobar").
    @Test func theChecksumIsFNV1a() {
        #expect(StateFile.checksum("foobar") == "85944171f73967e8")
        #expect(StateFile.checksum("") == "cbf29ce484222325")
    }
}
