// Package profile opens a mail session by a name: a file has sets of
// parameters, each of which is all that it takes to sign in, to read and to
// send.
//
//	file, err := profile.Load("mail.json", nil)
//	s, err := file.Open(ctx, "support")
//
// With this in mail.json, the program reads and sends by IMAP and SMTP, with a
// refresh token that an administrator looks after:
//
//	{
//	  "version": 1,
//	  "sets": {
//	    "support": {
//	      "provider": "microsoft",
//	      "account": "support@contoso.com",
//	      "clientId": "3f1d2c4b-0000-4000-8000-5b6a79889706",
//	      "refreshToken": "systemd:mail-token"
//	    }
//	  }
//	}
//
// [Schema] is the JSON Schema of such files, for editors and other programs;
// [Parameters] says what each field means.
//
// # Sets and sessions
//
// [File.Open] gives a session of one's own, and may override host, port and user
// of each side. [Set.Session] gives all parts of a program the same live session
// of a name. [File.Plan] tells what would become of a set. [File.SignIn] has a
// person sign in, for sets whose flow needs one.
//
// A set without a provider names its servers, or has them found by the address of its
// account: "incoming": {} and "outgoing": {}, each of which may be left out; see
// Options.Lookup.
//
// # References
//
// A value may be a reference to where it is: a scheme, a colon, and what the
// scheme's resolver is asked for. "env:NAME" is a variable of the environment,
// "file:/path" the content of a file, "systemd:name" a credential of a service,
// "cmd:program arguments" what a program prints, and "keyring:name" what the
// program's own resolver finds. White space at the end is cut off. Numbers and
// true or false are referred to by a string: "port": "env:MAIL_PORT".
//
// Behind a "#" stands a property of what the reference gives, a JSON object or
// lines like name=value: "file:/run/token.json#client_id". A file with
// client_id, client_secret and refresh_token can be named as a whole, by the
// field tokenFile. A "#" that belongs to the name is followed by one more at the
// end. "literal:…" is the text behind the colon itself.
//
// [Options.Resolvers] says which schemes a program knows, and may add others. The
// default reads the environment, files and systemd's credentials. It runs no
// programs: who can write the file would choose them.
//
// References are resolved by Open, and again when the sign-in fails. A refresh
// token and a password are then looked at whenever a server refuses them, so that
// whoever looks after them replaces them without a restart.
//
// # Secrets
//
// A file holds references to secrets, not secrets: one that does is refused
// unless [Options.AllowLiteralSecrets] is set. A secret is never part of an
// error, of what %+v prints, or of what is written; [File.Export] writes
// references, or secrets that are sealed for somebody (package profile/sealed).
//
// # Mistakes
//
// [Load] looks at the whole file, and tells every mistake at once, with its path,
// reason and fix: see [InvalidError]. What goes out of use loads, and is told by
// [File.Warnings] with its date; [File.Migrate] rewrites what it can.
//
// # Protocols
//
// IMAP, POP3, SMTP and, as a way in and a way out, EWS are built in, and linked
// into every program with this package. Other protocols load, and open where the
// program registers a backend for them in [Options.Incoming] and
// [Options.Outgoing].
package profile
