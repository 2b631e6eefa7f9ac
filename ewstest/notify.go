package ewstest

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/mailsession/mailsession/mailtest"
)

func noticeOperations() map[string]operation {
	return map[string]operation{
		"Subscribe":          {run: subscribe},
		"Unsubscribe":        {run: unsubscribe},
		"GetEvents":          {run: getEvents},
		"GetStreamingEvents": {run: getStreamingEvents, since: "Exchange2010_SP1"},
	}
}

// maxStreams is how many subscriptions one stream may carry.
const maxStreams = 200

func subscribe(c *call) error {
	return c.respond(1, func(int) error {
		request := c.req.first()
		sub := &subscription{owner: c.actor, actor: c.actor, kinds: make(map[string]bool)}
		switch {
		case request.is("StreamingSubscriptionRequest"):
			if !c.version.atLeast("Exchange2010_SP1") {
				return fail("ErrorIncorrectSchemaVersion", "Streaming subscriptions cannot be used with this version of the request.")
			}
			sub.streaming = true
		case request.is("PullSubscriptionRequest"):
			minutes, ok := positive(request.child("Timeout").value())
			if !ok || minutes > 1440 {
				return fail("ErrorInvalidPullSubscriptionTimeout", "The timeout of a pull subscription is from 1 to 1440 minutes.")
			}
			sub.timeout = time.Duration(minutes) * time.Minute
		default:
			return fail("ErrorInvalidSubscriptionRequest", "This server has no push subscriptions.")
		}
		for _, kind := range request.child("EventTypes").all() {
			sub.kinds[kind.value()] = true
		}
		if len(sub.kinds) == 0 {
			return fail("ErrorInvalidSubscriptionRequest", "A subscription needs event types.")
		}
		if err := c.subscribed(sub, request); err != nil {
			return err
		}
		c.server.newSubscription(sub)
		c.w.elem("m:SubscriptionId", sub.id)
		if !sub.streaming {
			c.w.elem("m:Watermark", sub.watermark(c.server, 0))
		}
		return nil
	})
}

// subscribed finds the folders that a subscription is about, which are those of
// one mailbox.
func (c *call) subscribed(sub *subscription, request *node) error {
	ids := request.child("FolderIds").all()
	if truth(request.attr("SubscribeToAllFolders")) {
		if len(ids) > 0 {
			return fail("ErrorInvalidSubscriptionRequest", "A subscription to all folders names none.")
		}
		return nil
	}
	if len(ids) == 0 {
		return fail("ErrorInvalidSubscriptionRequest", "A subscription needs folders.")
	}
	for i, n := range ids {
		f, err := c.resolve(n)
		if err != nil {
			return err
		}
		if i > 0 && f.owner != sub.owner {
			return fail("ErrorInvalidSubscriptionRequest", "A subscription is about one mailbox.")
		}
		sub.owner = f.owner
		sub.folders = append(sub.folders, f.id)
	}
	return nil
}

func unsubscribe(c *call) error {
	return c.respond(1, func(int) error {
		id := c.req.child("SubscriptionId").value()
		c.server.mu.Lock()
		defer c.server.mu.Unlock()
		sub := c.server.subscriptions[id]
		if sub == nil {
			return fail("ErrorSubscriptionNotFound", "The specified subscription was not found.")
		}
		sub.stop()
		delete(c.server.subscriptions, id)
		close(c.server.dropped)
		c.server.dropped = make(chan struct{})
		return nil
	})
}

func getEvents(c *call) error {
	return c.respond(1, func(int) error {
		sub, err := c.subscriptionOf(c.req.child("SubscriptionId").value(), false)
		if err != nil {
			return err
		}
		text, err := c.server.meaning(c.req.child("Watermark").value())
		at, after, _ := strings.Cut(text, ";")
		i := strings.LastIndexByte(after, ';')
		number, last := 0, 0
		if err == nil && at == "W" && i >= 0 && after[:i] == sub.id {
			number, err = fmt.Sscanf(after[i+1:], "%d", &last)
		}
		if err != nil || number != 1 {
			return fail("ErrorInvalidWatermark", "The watermark is invalid.")
		}
		sub.collect(c.server)
		sub.mu.Lock()
		defer sub.mu.Unlock()
		if time.Since(sub.used) > sub.timeout {
			return fail("ErrorExpiredSubscription", "The subscription has expired.")
		}
		sub.used = time.Now()
		if last > len(sub.events) {
			return fail("ErrorInvalidWatermark", "The watermark is invalid.")
		}
		c.writeEvents(sub, last)
		return nil
	})
}

// writeEvents writes the answer to GetEvents, for which the subscription is
// locked.
func (c *call) writeEvents(sub *subscription, last int) {
	const most = 50
	news := sub.events[last:]
	c.w.start("m:Notification")
	c.w.elem("t:SubscriptionId", sub.id)
	c.w.elem("t:PreviousWatermark", sub.watermark(c.server, last))
	c.w.boolean("t:MoreEvents", len(news) > most)
	for _, e := range news[:min(most, len(news))] {
		e.write(c.w, sub.watermark(c.server, e.number))
	}
	if len(news) == 0 {
		c.w.start("t:StatusEvent")
		c.w.elem("t:Watermark", sub.watermark(c.server, last))
		c.w.end()
	}
	c.w.end()
}

func getStreamingEvents(c *call) error {
	var subs []*subscription
	var unknown []string
	var failed error
	ids := c.req.child("SubscriptionIds").all()
	for _, n := range ids {
		sub, err := c.subscriptionOf(n.value(), true)
		if err != nil {
			failed = err
			unknown = append(unknown, n.value())
			continue
		}
		subs = append(subs, sub)
	}
	minutes, ok := positive(c.req.child("ConnectionTimeout").value())
	switch {
	case c.items != nil:
		failed = c.items
		for _, n := range ids {
			unknown = append(unknown, n.value())
		}
	case !ok || minutes > 30 || len(ids) > maxStreams:
		failed = fail("ErrorInvalidRequest", "The request is invalid: the timeout is from 1 to 30 minutes, for at most 200 subscriptions.")
	}
	if failed != nil {
		c.streamFailed(asFailure(failed), unknown)
		return nil
	}
	server := c.server
	timeout := time.Duration(minutes) * time.Minute
	c.answer = &answer{status: http.StatusOK, header: xmlHeader(), stream: func(ctx context.Context, send func([]byte) error) error {
		return server.notify(ctx, subs, timeout, send)
	}}
	return nil
}

// streamFailed answers where subscriptions cannot be streamed.
func (c *call) streamFailed(f *failure, unknown []string) {
	c.w.start("m:GetStreamingEventsResponse")
	c.w.start("m:ResponseMessages")
	writeStreamError(c.w, f, unknown)
	c.w.end()
	c.w.end()
}

func writeStreamError(w *writer, f *failure, unknown []string) {
	w.start("m:GetStreamingEventsResponseMessage", "ResponseClass", "Error")
	w.elem("m:MessageText", f.text)
	w.elem("m:ResponseCode", f.code)
	w.integer("m:DescriptiveLinkKey", 0)
	f.writeValues(w, "m:MessageXml")
	if len(unknown) > 0 {
		w.start("m:ErrorSubscriptionIds")
		for _, id := range unknown {
			w.elem("t:SubscriptionId", id)
		}
		w.end()
	}
	w.elem("m:ConnectionStatus", "Closed")
	w.end()
}

// streamed writes one envelope of a stream. Exchange writes these with other
// prefixes than its other answers, which some clients rely on, and without an XML
// declaration.
func (s *Server) streamed(content func(w *writer)) []byte {
	w := &writer{raw: s.options.RawText}
	w.start("Envelope", "xmlns", soapSpace)
	w.start("soap11:Header", "xmlns:soap11", soapSpace)
	w.empty("ServerVersionInfo", append(s.options.Version.build(), "xmlns", typesSpace)...)
	w.end()
	w.start("soap11:Body", "xmlns:soap11", soapSpace)
	w.start("m:GetStreamingEventsResponse", "xmlns:m", messagesSpace, "xmlns:t", typesSpace)
	w.start("m:ResponseMessages")
	content(w)
	closeEnvelope(w)
	return w.b
}

// status writes an envelope with nothing but the state of the connection.
func (s *Server) status(status string) []byte {
	return s.streamed(func(w *writer) {
		w.start("m:GetStreamingEventsResponseMessage", "ResponseClass", "Success")
		w.elem("m:ResponseCode", "NoError")
		w.elem("m:ConnectionStatus", status)
		w.end()
	})
}

// notify carries subscriptions until the time is up, a subscription ends, or the
// client is gone.
func (s *Server) notify(ctx context.Context, subs []*subscription, timeout time.Duration, send func([]byte) error) error {
	woken, stop := s.wake()
	defer stop()
	told := make([]int, len(subs))
	for i, sub := range subs {
		told[i] = sub.carry()
	}
	end, beat := time.NewTimer(timeout), time.NewTicker(s.options.Heartbeat)
	defer end.Stop()
	defer beat.Stop()
	if err := send(s.status("OK")); err != nil {
		return err
	}
	for {
		dropped, gone := s.gone(subs)
		if len(gone) > 0 {
			f := fail("ErrorSubscriptionNotFound", "The specified subscription was not found.")
			return send(s.streamed(func(w *writer) { writeStreamError(w, f, gone) }))
		}
		if data := s.notifications(subs, told); data != nil {
			if err := send(data); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-end.C:
			return send(s.status("Closed"))
		case <-beat.C:
			if err := send(s.status("OK")); err != nil {
				return err
			}
		case <-woken:
		case <-dropped:
		}
	}
}

// wake returns a channel that tells when the Box has changed, until stop is called.
func (s *Server) wake() (woken <-chan struct{}, stop func()) {
	changed := make(chan struct{}, 1)
	return changed, s.box.Watch(func(mailtest.Change) {
		select {
		case changed <- struct{}{}:
		default: // is awake
		}
	})
}

// carry begins to stream a subscription: what happened since it was made, or
// where an earlier stream ended, what happens from now on. It returns how many
// events are told of already.
func (s *subscription) carry() int {
	s.mu.Lock()
	again, carried := s.told, len(s.events)
	s.told = true
	s.mu.Unlock()
	if !again {
		return 0
	}
	s.begin()
	return carried
}

// gone returns which subscriptions are there no more, and a channel that is
// closed when more are gone.
func (s *Server) gone(subs []*subscription) (dropped chan struct{}, ids []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sub := range subs {
		if s.subscriptions[sub.id] == nil {
			ids = append(ids, sub.id)
		}
	}
	return s.dropped, ids
}

// notifications returns the envelope with what has not been told, or nil.
func (s *Server) notifications(subs []*subscription, told []int) []byte {
	news := make([][]event, len(subs))
	fresh := false
	for i, sub := range subs {
		sub.collect(s)
		sub.mu.Lock()
		news[i] = sub.events[told[i]:]
		told[i] = len(sub.events)
		sub.mu.Unlock()
		fresh = fresh || len(news[i]) > 0
	}
	if !fresh {
		return nil
	}
	return s.streamed(func(w *writer) {
		w.start("m:GetStreamingEventsResponseMessage", "ResponseClass", "Success")
		w.elem("m:ResponseCode", "NoError")
		w.start("m:Notifications")
		for i, sub := range subs {
			if len(news[i]) == 0 {
				continue
			}
			w.start("m:Notification")
			w.elem("t:SubscriptionId", sub.id)
			for _, e := range news[i] {
				e.write(w, "")
			}
			w.end()
		}
		w.end()
		w.end()
	})
}
