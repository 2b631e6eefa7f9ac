package session

import "context"

// Trash moves messages to the folder that is the trash, from where the server or
// the user removes them later: Apply with MoveTo set to [Trash]. A mailbox
// without such a folder is [ErrNoFolder].
func (s *Session) Trash(ctx context.Context, ids ...ID) ([]Result, error) {
	return s.Apply(ctx, Change{MoveTo: Trash}, ids...)
}

// Archive takes messages out of sight without removing them: Apply with MoveTo
// set to [Archive]. A mailbox without such a folder is [ErrNoFolder], but for
// those with labels, as Gmail's: there a message is in the archive once it is not
// in the inbox, so that it loses the inbox as a label, keeps its others and stays
// in the folder that its id is of, unless that is the inbox, the trash or junk.
func (s *Session) Archive(ctx context.Context, ids ...ID) ([]Result, error) {
	return s.Apply(ctx, Change{MoveTo: Archive}, ids...)
}

// Junk moves messages to the folder for what nobody wants, from which many
// servers learn: Apply with MoveTo set to [Junk]. A mailbox without such a
// folder is [ErrNoFolder].
func (s *Session) Junk(ctx context.Context, ids ...ID) ([]Result, error) {
	return s.Apply(ctx, Change{MoveTo: Junk}, ids...)
}
