import Foundation
import Testing

@testable import Control

@Suite struct StateFolderTests {
    private func write(_ text: String, _ path: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    }

    @Test func savesAndLoads() throws {
        let place = try ControlServerTests.Folder()
        let folder = try StateFolder(place.path + "/a/b")
        #expect(try folder.load().file == nil)
        try folder.save(try StateFileTests.file(1))
        try folder.save(try StateFileTests.file(2))
        #expect(try folder.load().file?.head.serial == 2)
        let mode = try FileManager.default.attributesOfItem(atPath: folder.path + "/rules.yaml")[.posixPermissions]
        #expect(mode as? Int == 0o600)
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
                == ["history", "lock", "rules.previous.yaml", "rules.yaml"])
    }

    @Test func theLastGoodOneIsUsed() throws {
        let place = try ControlServerTests.Folder()
        let folder = try StateFolder(place.path)
        try folder.save(try StateFileTests.file(1))
        try folder.save(try StateFileTests.file(2))
        let text = try StateFileTests.file(2).text
        for (damage, reason) in [(String(text.dropLast(30)), "torn"), ("foreign", "no state of this Fairlead")] {
            try write(damage, folder.path + "/rules.yaml")
            let (file, remarks) = try folder.load()
            #expect(file?.head.serial == 1 && remarks.count == 1)
            #expect(remarks[0].contains("rules.yaml is not used") && remarks[0].contains(reason), "\(remarks)")
        }
        try FileManager.default.removeItem(atPath: folder.path + "/rules.yaml")
        #expect(try folder.load().file?.head.serial == 1)
        // With none to use, the daemon must not start with nothing.
        try write("foreign", folder.path + "/rules.previous.yaml")
        let error = #expect(throws: ControlError.self) { try folder.load() }
        #expect(error?.description.contains("remove what is damaged") == true)
    }

    @Test func oneDaemonAtATime() throws {
        let place = try ControlServerTests.Folder()
        let first = try StateFolder(place.path)
        let error = #expect(throws: ControlError.self) { try StateFolder(place.path) }
        #expect(error?.description.contains("in use by another Fairlead") == true)
        withExtendedLifetime(first) {}
        #expect(throws: ControlError.self) { try StateFolder("/proc/nowhere") }
    }

    @Test func keepsSixteenStates() throws {
        let place = try ControlServerTests.Folder()
        let folder = try StateFolder(place.path)
        for serial in 1...20 { try folder.keep(try StateFileTests.file(serial)) }
        #expect(folder.heads.map(\.serial) == Array((5...20).reversed()))
        #expect(folder.state(serial: 5)?.head.serial == 5 && folder.state(serial: 4) == nil)
        try write("foreign", place.path + "/history/00000007.yaml")
        #expect(folder.heads.count == 15 && folder.state(serial: 7) == nil)
    }

    @Test func hasAUsualPlace() {
        #expect(StateFolder.defaultPath(environment: [:], isRoot: true) == "/var/lib/fairlead")
        #expect(StateFolder.defaultPath(environment: ["XDG_STATE_HOME": "/x"], isRoot: false) == "/x/fairlead")
        #expect(StateFolder.defaultPath(environment: ["HOME": "/h"], isRoot: false) == "/h/.local/state/fairlead")
    }
}
