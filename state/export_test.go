package state

import "context"

// Points returns the points that a change comes to, in order: those of a write
// and those of a deletion.
func Points() (write, remove []string) {
	return []string{pointLocked, pointCreated, pointHeader, pointWritten, pointSynced, pointRenamed, pointDone},
		[]string{pointLocked, pointRemoved, pointDone}
}

// AtPoints makes a Dir tell reached of each point that a change comes to.
func AtPoints(d *Dir, reached func(point string)) { d.reached = reached }

// FileName returns the name under which a key is kept.
func FileName(key string) string { return fileName(key) }

// KeyOf returns the key that is kept under a name.
func KeyOf(name string) (string, bool) { return keyOf(name) }

// EncodeFile returns the content of a record's file.
func EncodeFile(key string, r Record) []byte { return append(encodeHeader(key, r), r.Value...) }

// DecodeFile reads the content of a record's file.
func DecodeFile(data []byte) (string, Record, error) { return decodeFile(data) }

// RewriteClaim reads the value of a lease's record and writes it again.
func RewriteClaim(value []byte) (again []byte, err error) {
	c, err := parseClaim(value)
	if err != nil {
		return nil, err
	}
	return c.encode()
}

// LockFile takes one of a Dir's lock files.
func LockFile(ctx context.Context, d *Dir, name string) (unlock func() error, err error) {
	return d.lockFile(ctx, name)
}

// WriteLock returns the name of the lock file of a key's changes.
func WriteLock(key string) string { return writeLock(key) }
