// Replay: recordings and captures through the same director that runs live, under a virtual clock, without root.
//
// Read in order: Recording (what is read), Topology, Session (engine, director and clock), RecordingReplay and
// CaptureReplay (what drives them), ReplayOutput (what is written).
