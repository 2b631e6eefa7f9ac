//go:build !unix

package state

import "io/fs"

// readersLock says whether a file that somebody reads cannot be replaced. So it
// is on Windows, where readers wait for writers.
const readersLock = true

// checkRights refuses nothing: rights are not mode bits here, and a new folder
// inherits those of the one it is in.
func checkRights(string, fs.FileInfo) error { return nil }

// syncFolder does nothing: a folder cannot be opened to be synced here.
func syncFolder(string) error { return nil }
