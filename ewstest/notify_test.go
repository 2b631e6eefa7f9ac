package ewstest_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/ewstest"
	"github.com/mailsession/mailsession/mailtest"
)

const eventTypes = `<t:EventTypes><t:EventType>NewMailEvent</t:EventType><t:EventType>CreatedEvent</t:EventType><t:EventType>DeletedEvent</t:EventType>` +
	`<t:EventType>ModifiedEvent</t:EventType><t:EventType>MovedEvent</t:EventType></t:EventTypes>`

func subscribe(kind, folders, rest string) string {
	all := ""
	if folders == "" {
		all = ` SubscribeToAllFolders="true"`
	} else {
		folders = `<t:FolderIds>` + folders + `</t:FolderIds>`
	}
	return `<m:Subscribe><m:` + kind + `SubscriptionRequest` + all + `>` + folders + eventTypes + rest + `</m:` + kind + `SubscriptionRequest></m:Subscribe>`
}

const (
	subscriptionID = `<m:SubscriptionId>([^<]*)<`
	itemEvents     = `<t:([A-Za-z]*Event)>(?:<t:Watermark>[^<]*</t:Watermark>)?<t:TimeStamp>[^<]*</t:TimeStamp><t:ItemId`
)

func TestPullingTellsWhatHappened(t *testing.T) {
	b := newBed(t, nil)
	b.append("INBOX", mailtest.Sample(1))
	r := b.ask(subscribe("Pull", "", `<t:Timeout>10</t:Timeout>`)).want(200, "NoError")
	id, mark := r.one(subscriptionID), r.one(`<m:Watermark>([^<]*)<`)
	get := func(mark string) *reply {
		return b.ask(`<m:GetEvents><m:SubscriptionId>` + id + `</m:SubscriptionId><m:Watermark>` + mark + `</m:Watermark></m:GetEvents>`)
	}
	get(mark).want(200, "StatusEvent")
	b.append("INBOX", mailtest.Sample(2))
	if _, err := b.ann.Move("INBOX", "Archive", 1); err != nil {
		t.Fatal(err)
	}
	if _, err := b.ann.Expunge("INBOX", 2); err != nil {
		t.Fatal(err)
	}
	b.append("Drafts", mailtest.Sample(3), mailtest.Draft)
	r = get(mark).want(200, "<t:UnreadCount>", "OldItemId")
	if got, want := r.all(itemEvents), []string{"NewMailEvent", "CreatedEvent", "MovedEvent", "DeletedEvent", "CreatedEvent"}; !slices.Equal(got, want) {
		t.Errorf("events: %v, want %v", got, want)
	}
	marks := r.all(`<t:Watermark>([^<]*)<`)
	get(marks[len(marks)-1]).want(200, "StatusEvent")
	get("AAAA").want(200, "ErrorInvalidWatermark")
	b.ask(`<m:Unsubscribe><m:SubscriptionId>`+id+`</m:SubscriptionId></m:Unsubscribe>`).want(200, "NoError")
	get(mark).want(200, "ErrorSubscriptionNotFound")
}

// stream opens a stream of notifications, which lasts for a number of minutes,
// and returns a function that waits for the next envelope.
func (b *bed) stream(ctx context.Context, id, minutes string) (next func() string, end func()) {
	b.t.Helper()
	body := `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages"` +
		` xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types"><s:Header><t:RequestServerVersion Version="Exchange2013_SP1"/></s:Header><s:Body>` +
		`<m:GetStreamingEvents><m:SubscriptionIds><t:SubscriptionId>` + id + `</t:SubscriptionId></m:SubscriptionIds>` +
		`<m:ConnectionTimeout>` + minutes + `</m:ConnectionTimeout></m:GetStreamingEvents></s:Body></s:Envelope>`
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://mail.example.com"+ewstest.Path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	b.authorize(req)
	resp, err := b.client.Do(req) //nolint:bodyclose // By end.
	if err != nil {
		b.t.Fatal(err)
	}
	lines := bufio.NewReader(resp.Body)
	return func() string {
		var envelope strings.Builder
		for !strings.HasSuffix(envelope.String(), "</Envelope>") {
			c, err := lines.ReadByte()
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				return envelope.String() + err.Error()
			}
			if err != nil {
				b.t.Fatal(err)
			}
			envelope.WriteByte(c)
		}
		return envelope.String()
	}, func() { _ = resp.Body.Close() }
}

// TestWhatComesAndGoesIsTold: a message that is moved and removed before anybody
// asks leaves its trace in each of the folders.
func TestWhatComesAndGoesIsTold(t *testing.T) {
	b := newBed(t, nil)
	made := b.ask(subscribe("Pull", known("drafts")+known("junkemail"), "<t:Timeout>10</t:Timeout>")).want(200, "NoError")
	uid := b.append("Drafts", mailtest.Sample(1))
	if _, err := b.ann.Move("Drafts", "Junk", uid); err != nil {
		t.Fatal(err)
	}
	if _, err := b.ann.Expunge("Junk", 1); err != nil {
		t.Fatal(err)
	}
	r := b.ask(`<m:GetEvents><m:SubscriptionId>` + made.one(subscriptionID) + `</m:SubscriptionId><m:Watermark>` + made.one(`<m:Watermark>([^<]+)<`) + `</m:Watermark></m:GetEvents>`).want(200)
	told := slices.DeleteFunc(r.all(`<t:(\w+Event)>`), func(kind string) bool { return kind == "ModifiedEvent" }) // of the folders
	if want := []string{"CreatedEvent", "MovedEvent", "DeletedEvent"}; !slices.Equal(told, want) {
		t.Errorf("GetEvents tells %q, want %q", told, want)
	}
}

func TestAStreamTellsAtOnceAndEndsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, nil)
		id := b.ask(subscribe("Streaming", known("inbox"), "")).want(200, "NoError").without("Watermark").one(subscriptionID)
		b.append("INBOX", mailtest.Sample(1))
		began := time.Now()
		next, end := b.stream(t.Context(), id, "1")
		defer end()
		for _, want := range []string{"<m:ConnectionStatus>OK<", "NewMailEvent"} {
			if got := next(); !strings.Contains(got, want) || !strings.HasPrefix(got, `<Envelope xmlns="`) {
				t.Errorf("the stream says %s, want %s in an Envelope without a prefix, as Exchange writes it", got, want)
			}
		}
		b.append("INBOX", mailtest.Sample(2))
		if got := next(); strings.Count(got, "<t:NewMailEvent>") != 1 {
			t.Errorf("the stream says %s, want one message", got)
		}
		if waited := time.Since(began); waited != 0 {
			t.Errorf("the stream took %v, want none", waited)
		}
		for _, want := range []string{"<m:ConnectionStatus>OK<", "<m:ConnectionStatus>Closed<", "EOF"} {
			if got := next(); !strings.Contains(got, want) {
				t.Errorf("the stream says %s, want %s", got, want)
			}
		}
		if waited := time.Since(began); waited != time.Minute {
			t.Errorf("the stream lasted %v, want a minute", waited)
		}
	})
}

func TestWhatHappensBetweenStreamsIsNotTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, nil)
		id := b.ask(subscribe("Streaming", known("inbox"), "")).one(subscriptionID)
		next, end := b.stream(t.Context(), id, "30")
		next()
		b.server.Disconnect()
		if got := next(); !strings.Contains(got, "unexpected EOF") {
			t.Errorf("the stream says %s, want its end", got)
		}
		end()
		b.append("INBOX", mailtest.Sample(1))
		next, end = b.stream(t.Context(), id, "30")
		next()
		b.append("INBOX", mailtest.Sample(2))
		second := b.ask(findItem("IdOnly", "", "", known("inbox"))).all(itemID)[0]
		if got := next(); strings.Count(got, "<t:NewMailEvent>") != 1 || !strings.Contains(got, second) {
			t.Errorf("the stream says %s, want the second message alone", got)
		}
		b.server.DropSubscriptions()
		if got := next(); !strings.Contains(got, "ErrorSubscriptionNotFound") || !strings.Contains(got, id) {
			t.Errorf("the stream says %s, want that the subscription is gone", got)
		}
		end()
		next, end = b.stream(t.Context(), id, "30")
		defer end()
		if got := next(); !strings.Contains(got, "ErrorSubscriptionNotFound") {
			t.Errorf("the stream says %s, want that there is no such subscription", got)
		}
	})
}

func TestAClientThatLeavesEndsItsStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, nil)
		id := b.ask(subscribe("Streaming", known("inbox"), "")).one(subscriptionID)
		ctx, cancel := context.WithCancel(t.Context())
		next, end := b.stream(ctx, id, "30")
		next()
		cancel()
		end()
		b.client.CloseIdleConnections()
		synctest.Wait()
		if _, open := b.server.Connections(); open != 0 {
			t.Errorf("%d connections are open, want 0", open)
		}
	})
}
