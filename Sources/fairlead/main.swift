import Replay
do { try RecordingReplay.run(CommandLine.arguments[2], output: CommandLine.arguments[4]) } catch { print(error) }
