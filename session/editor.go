package session

import (
	"context"
	"errors"
	"slices"
	"strings"
)

// FolderEditor changes what folders there are. It is a further interface of an
// [Incoming]; see [Session.CreateFolder] and the methods behind it.
type FolderEditor interface {
	CreateFolder(ctx context.Context, path string) error
	RenameFolder(ctx context.Context, folder FolderRef, path string) error
	DeleteFolder(ctx context.Context, folder FolderRef) error
	Subscribe(ctx context.Context, folder FolderRef, on bool) error
}

// CreateFolder makes a folder at a path as [Folder.Path] has it, below what the
// server wants before the names of the user's own folders. Servers make the
// folders above it where they are missing. One that is there already is
// [ErrFolderExists], where the server says so in words that are known, or the
// protocol's error; see [Session.EnsureFolder].
func (s *Session) CreateFolder(ctx context.Context, path string) error {
	return s.edit("create a folder", path, func(e FolderEditor) error { return e.CreateFolder(ctx, path) })
}

// EnsureFolder makes a folder at a path, as CreateFolder does, unless there is one
// already that holds messages, and returns it by the path that it is listed with.
// That is another one where the server does not tell small letters from large ones,
// as Exchange does not, and has the folder in others.
func (s *Session) EnsureFolder(ctx context.Context, path string) (FolderRef, error) {
	if found, err := s.holding(ctx, path, false); found != "" || err != nil {
		return found, err
	}
	err := s.CreateFolder(ctx, path)
	if err == nil {
		return FolderAt(path), nil
	}
	if ctx.Err() != nil {
		return "", err
	}
	// Servers have no common word for a folder that somebody else made meanwhile.
	if found, _ := s.holding(ctx, path, errors.Is(err, ErrFolderExists)); found != "" {
		return found, nil
	}
	return "", err
}

// holding returns the folder for messages at a path, "" where there is none. Where
// there is no folder at all there, it may be one whose path differs in the case of
// letters, if that is wanted.
func (s *Session) holding(ctx context.Context, path string, anyCase bool) (FolderRef, error) {
	var similar FolderRef
	for f, err := range s.Folders(ctx) {
		switch {
		case err != nil:
			return "", err
		case f.Path == path && f.NoMessages:
			return "", nil
		case f.Path == path:
			return f.Ref(), nil
		case anyCase && !f.NoMessages && strings.EqualFold(f.Path, path):
			similar = f.Ref()
		}
	}
	return similar, nil
}

// RenameFolder gives a folder, and with it those below, another path. The ids
// of its messages are void then. A folder that is not there is [ErrNoFolder].
func (s *Session) RenameFolder(ctx context.Context, folder FolderRef, path string) error {
	return s.edit("rename a folder", path, func(e FolderEditor) error { return e.RenameFolder(ctx, folder, path) })
}

// DeleteFolder removes a folder with all messages in it, for good. The inbox
// cannot be removed. A folder that is not there is [ErrNoFolder].
func (s *Session) DeleteFolder(ctx context.Context, folder FolderRef) error {
	return s.edit("delete a folder", "-", func(e FolderEditor) error { return e.DeleteFolder(ctx, folder) })
}

// Subscribe adds a folder to those that mail programs show to a person, or
// takes it away.
func (s *Session) Subscribe(ctx context.Context, folder FolderRef, on bool) error {
	return s.edit("subscribe to a folder", "-", func(e FolderEditor) error { return e.Subscribe(ctx, folder, on) })
}

func (s *Session) edit(op, path string, change func(FolderEditor) error) error {
	e, err := changingAs[FolderEditor](s, op)
	if err != nil {
		return err
	}
	if slices.Contains(SplitPath(path), "") {
		return errors.New("session: " + op + ": a level of the path has no name")
	}
	return change(e)
}
