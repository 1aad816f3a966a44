// Configuration: what an operator writes in fairlead.yaml, and what is said of it before it is in force.
//
// Read in order: RuleState (services, destinations, timeouts and settings as values), ConfigurationFile (a file that was
// read, with the line of each part), Reading (YAML becomes a ConfigurationFile; errors name line and key),
// ConfigurationText (a RuleState becomes YAML again), Lint (what is allowed but will not work).
