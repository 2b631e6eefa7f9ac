package preset_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mailsession/mailsession/preset"
)

func on(year int, month time.Month, day int) time.Time {
	return time.Date(year, month, day, 12, 0, 0, 0, time.UTC)
}

// TestWhatEndsIsToldWhenItMatters goes through the dates of Exchange Online as
// they come and go.
func TestWhatEndsIsToldWhenItMatters(t *testing.T) {
	exchange, outlook := preset.Microsoft365("contoso.com"), preset.OutlookCom()
	for _, tt := range []struct {
		p     preset.Provider
		proto preset.Protocol
		flow  preset.Flow
		at    time.Time
		want  string
	}{
		{exchange, preset.EWS, preset.FlowBrowser, on(2025, 12, 1), ""},
		{exchange, preset.EWS, preset.FlowBrowser, on(2026, 6, 1), "on 2026-10-01, on 2027-04-01"},
		{exchange, preset.EWS, preset.FlowClientCredentials, on(2026, 11, 21), "since 2026-10-01, on 2027-04-01"},
		{exchange, preset.EWS, preset.FlowBrowser, on(2027, 4, 1), "since 2026-10-01, since 2027-04-01"},
		{exchange, preset.EWS, preset.FlowPassword, on(2026, 11, 21), "since 2022-10-01, since 2026-10-01, on 2027-04-01"},
		{exchange, preset.SMTP, preset.FlowPassword, on(2026, 11, 21), "on 2026-12-31"},
		{exchange, preset.SMTP, preset.FlowAppPassword, on(2027, 1, 1), "since 2026-12-31"},
		{exchange, preset.SMTP, preset.FlowBrowser, on(2027, 1, 1), ""},
		{exchange, preset.IMAP, preset.FlowPassword, on(2026, 11, 21), "since 2022-10-01"},
		{exchange, preset.POP3, preset.FlowPassword, on(2026, 11, 21), "since 2022-10-01"},
		{exchange, preset.IMAP, preset.FlowBrowser, on(2027, 11, 21), ""},
		{exchange, preset.Graph, preset.FlowBrowser, on(2027, 11, 21), ""},
		{outlook, preset.SMTP, preset.FlowPassword, on(2026, 11, 21), "since 2024-09-16"},
		{outlook, preset.IMAP, preset.FlowBrowser, on(2026, 11, 21), ""},
		{preset.Exchange("mail.contoso.example"), preset.EWS, preset.FlowPassword, on(2027, 11, 21), ""},
		{preset.Google(), preset.IMAP, preset.FlowAppPassword, on(2026, 11, 21), ""},
	} {
		var got []string
		for _, w := range tt.p.Warnings(tt.proto, tt.flow, tt.at) {
			date, _, _ := strings.Cut(w.String(), ":")
			got = append(got, date)
		}
		if strings.Join(got, ", ") != tt.want {
			t.Errorf("%s, %s by %s in %s: %q, want %q", tt.p.Name, tt.proto, tt.flow, tt.at.Format(time.DateOnly), got, tt.want)
		}
	}
}

// TestEveryDateSaysWhatToDo: and was announced before it came.
func TestEveryDateSaysWhatToDo(t *testing.T) {
	for _, p := range all(t) {
		t.Run(p.ID, func(t *testing.T) {
			for _, r := range p.Retirements {
				if !strings.HasSuffix(r.What, ".") || !strings.HasSuffix(r.Fix, ".") || r.Source == "" {
					t.Errorf("%+v, want full sentences and a source", r)
				}
				if !r.Announced.Before(r.Date) || r.Announced.After(published()) {
					t.Errorf("%s was announced on %s", r.Date, r.Announced)
				}
			}
		})
	}
}

func ExampleProvider_Warnings() {
	p := preset.Microsoft365("contoso.com")
	for _, w := range p.Warnings(preset.SMTP, preset.FlowPassword, time.Date(2026, time.November, 21, 0, 0, 0, 0, time.UTC)) {
		fmt.Println(w)
	}
	// Output:
	// on 2026-12-31: Exchange Online no longer takes passwords for SMTP AUTH, unless an administrator switches that on again; the last date is to be announced in the second half of 2027. Sign in by browser or device, or by client-credentials in one tenant; SMTP itself stays.
}
