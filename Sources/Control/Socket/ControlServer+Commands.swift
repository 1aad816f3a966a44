import Dispatch
import Foundation

extension ControlServer {
    /// The handler of `CommandRequest.route`. Commands run on threads of their own, since names may take long to look
    /// up; `withTable` is called from there and must lock.
    public static func commandHandler(
        _ executor: CommandExecutor,
        withTable: @escaping @Sendable (_ body: (any RuleTable) -> TableAnswer) -> TableAnswer
    ) -> Handler {
        { body in
            await withCheckedContinuation { continuation in
                DispatchQueue.global().async {
                    continuation.resume(returning: reply(to: body, executor, withTable))
                }
            }
        }
    }

    private static func reply(
        to body: Data, _ executor: CommandExecutor, _ withTable: CommandExecutor.TableAccess
    ) -> Data {
        let result: CommandResult
        do {
            let request = try JSONDecoder().decode(CommandRequest.self, from: body)
            result = executor.execute(
                request.arguments, program: request.program, standardInput: request.standardInput,
                withTable: withTable)
        } catch {
            result = CommandResult(failure: "the daemon does not understand the request")
        }
        return (try? JSONEncoder().encode(result)) ?? Data()
    }
}
