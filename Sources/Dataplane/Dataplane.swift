// Dataplane: the run loop. The director is one worker's pipeline over a batch; it makes no system call, takes no lock and
// allocates nothing, and the same one runs live, on recordings and in tests. Workers are pinned threads around it.
//
// Read in order: Director, Director+Receive, Director+Request, Director+Schedule, Director+Reply, Director+Forward,
// Outbox, Worker, Responder.
