package state

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
)

// The points that a change comes to, in this order. A process that ends at any
// of them leaves the old record or the new one.
const (
	pointLocked  = "locked"         // the record's write lock is held
	pointCreated = "temp created"   // the temporary file is there, and empty
	pointHeader  = "header written" // and has a header without its value
	pointWritten = "value written"
	pointSynced  = "temp synced"
	pointRenamed = "renamed" // the new record is in place; the folder is not synced
	pointRemoved = "removed" // the same for a deletion
	pointDone    = "folder synced"
)

// reach tells a test that a change has come to a point.
func (d *Dir) reach(point string) {
	if d.reached != nil {
		d.reached(point)
	}
}

// path returns where the record at key is kept, under the given ending.
func (d *Dir) path(key, ending string) string {
	return filepath.Join(d.records, fileName(key)+ending)
}

// CompareAndSwap implements [Store].
func (d *Dir) CompareAndSwap(ctx context.Context, key string, old Version, value []byte) (v Version, err error) {
	if err := begin(ctx, "compare and swap", key); err != nil {
		return "", err
	}
	unlock, err := d.lockFile(ctx, writeLock(key))
	if err != nil {
		return "", fmt.Errorf("state: compare and swap %s: %w", key, err)
	}
	defer func() {
		if failure := unlock(); failure != nil {
			err = errors.Join(err, fmt.Errorf("state: compare and swap %s: %w", key, failure))
		}
	}()
	d.reach(pointLocked)
	present, err := d.read(key)
	if err == nil && present.Version != old {
		return "", conflict(key)
	}
	r := Record{Value: value}
	switch {
	case err != nil:
	case value != nil:
		r.Version = newVersion()
		err = d.write(key, r)
	case old != "":
		err = d.remove(key)
	}
	if err != nil {
		return "", fmt.Errorf("state: compare and swap %s: %w", key, err)
	}
	return r.Version, nil
}

// read returns the record at key. It needs no lock, except where readersLock
// says so: the name leads to the old file or to the new one.
func (d *Dir) read(key string) (Record, error) {
	path := d.path(key, recordEnding)
	f, err := os.Open(path) //nolint:gosec // The name was made of a checked key.
	if errors.Is(err, fs.ErrNotExist) {
		return Record{}, nil
	}
	if err != nil {
		return Record{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Record{}, err
	}
	if err := checkRights(path, info); err != nil {
		return Record{}, err
	}
	data, err := io.ReadAll(f)
	if err != nil {
		return Record{}, err
	}
	inside, r, err := decodeFile(data)
	if err == nil && inside != key {
		err = fmt.Errorf("it holds the record %q", inside)
	}
	if err != nil {
		return Record{}, fmt.Errorf("the file %s is damaged: %w; restore it from a copy, or remove it", path, err)
	}
	return r, nil
}

// write replaces the record at key. The caller holds its write lock, so that a
// temporary file that is there already belongs to nobody.
func (d *Dir) write(key string, r Record) error {
	temp := d.path(key, tempEnding)
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	err := d.writeTemp(temp, key, r)
	if err == nil {
		err = os.Rename(temp, d.path(key, recordEnding))
	}
	if err != nil {
		_ = os.Remove(temp) // Else the next change does it.
		return err
	}
	d.reach(pointRenamed)
	return d.sync()
}

// writeTemp writes a record to a new file.
func (d *Dir) writeTemp(path, key string, r Record) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // The name was made of a checked key.
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	d.reach(pointCreated)
	if _, err := f.Write(encodeHeader(key, r)); err != nil {
		return err
	}
	d.reach(pointHeader)
	if _, err := f.Write(r.Value); err != nil {
		return err
	}
	d.reach(pointWritten)
	if err := f.Sync(); err != nil {
		return err
	}
	d.reach(pointSynced)
	return nil
}

// remove deletes the record at key. The caller holds its write lock.
func (d *Dir) remove(key string) error {
	if err := os.Remove(d.path(key, recordEnding)); err != nil {
		return err
	}
	d.reach(pointRemoved)
	return d.sync()
}

// sync makes the records' names survive a crash.
func (d *Dir) sync() error {
	if err := syncFolder(d.records); err != nil {
		return fmt.Errorf("the change is made, but may not survive a crash of the machine: %w", err)
	}
	d.reach(pointDone)
	return nil
}

// sweep removes the temporary files of changes that never ended. A file whose
// write lock is held may be that of a living writer, and stays.
func (d *Dir) sweep() error {
	keys, err := d.keys(tempEnding)
	if err != nil {
		return err
	}
	for _, key := range keys {
		if err := d.sweepOne(key); err != nil {
			return err
		}
	}
	return nil
}

// sweepOne removes one temporary file, unless it may be in use.
func (d *Dir) sweepOne(key string) (err error) {
	lock := flock.New(filepath.Join(d.locks, writeLock(key)))
	locked, err := lock.TryLock()
	if err != nil || !locked {
		return err
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	if err := os.Remove(d.path(key, tempEnding)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
