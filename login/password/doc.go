// Package password is the login method of a password: argon2id hashes in the PHC
// string format, a bounded pool that computes them, and throttling per account
// and per address.
//
// It does not know pages beyond its own, nor sessions, nor what becomes of a
// verified factor. Whatever is wrong, wrong password, unknown name, disabled
// account, it says the same after the same work.
package password
