// Package archtest holds the plan of the house: which package may import which,
// and which modules from outside have one owner. Its test reads the source files
// themselves, so that its answer is never a cached one, and fails on packages
// that the plan does not name.
package archtest
