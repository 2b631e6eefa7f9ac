// Package seal encrypts what a [state.Store] keeps, with age.
//
//	dir, err := state.OpenDir("/var/lib/myprogram")
//	store, err := seal.New(dir, seal.Keys{Passphrase: secret.New(passphrase)}, nil)
//
// A [Store] wraps another one and encrypts each value by itself; keys, versions
// and the sizes of values stay in clear. There are two ways to say who can read:
//
//   - a passphrase. The Store makes a key pair of its own, which it keeps below
//     ".seal/", encrypted by the passphrase with scrypt. So the passphrase is
//     stretched once for each Store that is opened, and not for each record.
//   - age's recipients and identities, for key files, for several readers and for
//     programs that may write and not read.
//
// # What it protects against
//
// Who gets hold of the records, of a backup for example, learns keys and sizes
// and no value. Who can also write to the Store can delete records and put back
// older ones, which no encryption prevents, but cannot change a value, or put one
// record's value in another's place, without [ErrTampered].
//
// That holds as long as the recipients are kept from such an attacker: age does
// not say who has encrypted something, and everybody who knows a recipient can
// encrypt to it. A passphrase's key pair is known to nobody without it. Of
// identities of your own, keep the public half private too if others can write
// to the Store.
package seal
