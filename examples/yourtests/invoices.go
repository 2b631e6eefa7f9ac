// Package yourtests shows how a program that works with mail is tested: its tests
// are the example.
package yourtests

import (
	"context"
	"errors"
	"fmt"

	"github.com/mailsession/mailsession/session"
)

// FileInvoices moves the unread messages about invoices to a folder, and returns how
// many it moved. One that cannot be moved keeps none of the others from it.
func FileInvoices(ctx context.Context, s *session.Session, folder session.FolderRef) (int, error) {
	var ids []session.ID
	for m, err := range s.Messages(ctx, session.Query{Where: session.Filter{Unread: session.Yes, Subject: "invoice"}}) {
		if err != nil {
			return 0, err
		}
		ids = append(ids, m.ID)
	}
	if len(ids) == 0 {
		return 0, nil
	}
	moved := 0
	results, err := s.Apply(ctx, session.Change{MoveTo: folder}, ids...)
	for _, r := range results {
		if r.Outcome == session.Done {
			moved++
		} else {
			err = errors.Join(err, fmt.Errorf("message %v: %w", r.ID, r.Err))
		}
	}
	return moved, err
}
