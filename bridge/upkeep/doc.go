// Package upkeep is what administrators do with a bridge's database from the command line: the subcommands migrate-database, backup and export. They use the same configuration file
// as the bridge, and change nothing in it.
package upkeep
