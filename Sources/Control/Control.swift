// Control: what people and programs say to the daemon, and what it answers.
//
// Read in order: RuleTable (what a command may do to the engine), RuleGrammar (ipvsadm's command line becomes a
// `Command`), CommandExecutor (a `Command` is applied to a table and becomes text and an exit status), Listing (that
// text), Socket (how both travel between `fairlead ipvsadm` and the daemon).
