// Package sparkwright holds the nouns of the system, their states, the small
// interfaces between them, and the error codes. It imports the standard
// library only; every other package imports it.
//
// Data flows one way:
//
//	Question → Catalog → Placement → Analysis → Check → Attempt → Result
//
// docs/architecture.md tells where each step lives.
package sparkwright
