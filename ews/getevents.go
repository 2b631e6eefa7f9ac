package ews

import (
	"context"
	"strings"
)

// happening is what the server says about one event: the folders that it concerns.
type happening []string

// getEvents asks what happened since a subscription was asked last, and whether there
// is more to be asked for.
func (c *Client) getEvents(ctx context.Context, s *subscription) (all []happening, more bool, err error) {
	mark := s.watermark
	r := &request{op: "GetEvents", body: el("m:GetEvents", leaf("m:SubscriptionId", s.id), leaf("m:Watermark", s.watermark))}
	err = c.call(ctx, r, func(a *answer) error {
		all, more, mark = nil, false, s.watermark
		return a.only(func(name string) error {
			if name != "Notification" {
				return nil
			}
			return a.notification(&all, &mark, &more)
		})
	})
	if err == nil {
		more = more && mark != s.watermark // it would go on for ever
		s.watermark = mark
	}
	return all, more, err
}

// notification reads a Notification, whose start tag was read last.
func (a *answer) notification(all *[]happening, mark *string, more *bool) error {
	return a.children(func(name string) (err error) {
		switch {
		case name == "MoreEvents":
			*more, err = a.boolean()
		case strings.HasSuffix(name, "Event"):
			var h happening
			if err = a.event(&h, mark); err == nil && name != "StatusEvent" {
				*all = append(*all, h)
			}
		}
		return err
	})
}

// event reads one event.
func (a *answer) event(h *happening, mark *string) error {
	return a.children(func(name string) (err error) {
		switch name {
		case "Watermark":
			*mark, err = a.word()
		case "FolderId", "ParentFolderId", "OldFolderId", "OldParentFolderId":
			*h = append(*h, a.attr("Id"))
		}
		return err
	})
}
