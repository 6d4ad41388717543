// Package templates owns what a person sees: the pages, their style sheet and
// the mark, embedded in the binary, with an overlay that can replace any file.
// There is one Go struct a page. Pages need no JavaScript; only AutoPost and
// SigningOut have a script at all, with a nonce, that saves a click or a wait.
//
// Every text of ours passes through one function, Config.Translate, so that a
// translation is a table and not a change of templates.
//
// The package does not know HTTP, status codes, cookies or who asks: package web
// chooses the page's headers, and the rooms fill the structs.
package templates
