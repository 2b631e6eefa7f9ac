package interop

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
)

// davmailProgram is the server, in the Debian package davmail-server.
const davmailProgram = "/usr/bin/davmail-server"

// DavMail is a running DavMail: a client of Exchange's web services that offers
// what it finds there by IMAP, POP3 and SMTP. Addresses are host:port, on
// 127.0.0.1. They speak plain text, and sign in with what signs in at Exchange.
type DavMail struct {
	IMAP, POP3, SMTP string

	dir     string
	running *process
	ending  ending
}

// StartDavMail starts DavMail as a client of the service at a URL. The fingerprint
// is that of the service's certificate, which DavMail then trusts, as SHA-1 in
// hexadecimal with colons; it is empty where there is none. DavMail's ways in ask
// the service before they greet, so that it has to be there. The caller calls
// [DavMail.Stop]; the context is for starting only.
func StartDavMail(ctx context.Context, service, fingerprint string) (*DavMail, error) {
	if _, err := os.Stat(davmailProgram); err != nil {
		return nil, fmt.Errorf("interop: DavMail is not installed (%w); run internal/interop/install", err)
	}
	ctx, cancel := context.WithTimeout(ctx, stageTimeout)
	defer cancel()
	var err error
	for range startTries {
		var d *DavMail
		d, err = startDavMail(ctx, service, fingerprint)
		if err == nil {
			return d, nil
		}
		if !errors.Is(err, errEnded) {
			break
		}
	}
	return nil, err
}

// startDavMail makes one attempt with one set of ports.
func startDavMail(ctx context.Context, service, fingerprint string) (*DavMail, error) {
	dir, err := os.MkdirTemp("", "mailsession-davmail-")
	if err != nil {
		return nil, fmt.Errorf("interop: make a folder for DavMail: %w", err)
	}
	d := &DavMail{dir: dir}
	if err := d.launch(ctx, service, fingerprint); err != nil {
		return nil, errors.Join(fmt.Errorf("%w\n%s", err, d.Logs()), d.Stop())
	}
	return d, nil
}

// launch starts DavMail and waits for the greeting of each of its ways in.
func (d *DavMail) launch(ctx context.Context, service, fingerprint string) error {
	free, err := freeAddresses(ctx, 3)
	if err != nil {
		return err
	}
	d.IMAP, d.POP3, d.SMTP = free[0], free[1], free[2]
	text := []string{
		"davmail.server=true", "davmail.mode=EWS", "davmail.url=" + service, "davmail.server.certificate.hash=" + fingerprint,
		"davmail.bindAddress=127.0.0.1", "davmail.caldavPort=", "davmail.ldapPort=", "davmail.disableUpdateCheck=true",
		"davmail.imapAutoExpunge=false", "davmail.imapIdleDelay=" + davmailIdleDelay, "davmail.popMarkReadOnRetr=false",
		"davmail.logFilePath=" + d.log(), "log4j.rootLogger=WARN", "log4j.logger.davmail=INFO",
	}
	for setting, address := range map[string]string{"davmail.imapPort": d.IMAP, "davmail.popPort": d.POP3, "davmail.smtpPort": d.SMTP} {
		_, port, err := net.SplitHostPort(address)
		if err != nil {
			return err
		}
		text = append(text, setting+"="+port)
	}
	config := filepath.Join(d.dir, "davmail.properties")
	if err := os.WriteFile(config, []byte(strings.Join(text, "\n")+"\n"), 0o600); err != nil {
		return err
	}
	if d.running, err = startProcess("davmail", []string{davmailProgram, config}); err != nil {
		return err
	}
	for _, address := range free {
		if err := awaitGreeting(ctx, d.running, address, dialPlain); err != nil {
			return err
		}
	}
	return nil
}

// davmailIdleDelay is the time between two looks at a folder while a client is
// idle, in minutes, of which DavMail makes seconds with numbers of 32 bits: these
// are four.
const davmailIdleDelay = "787410671"

func (d *DavMail) log() string { return filepath.Join(d.dir, "davmail.log") }

// Logs returns the end of what DavMail printed and logged, for a test that failed.
func (d *DavMail) Logs() string {
	if d.running == nil {
		return ""
	}
	logged, _ := os.ReadFile(d.log())
	return "davmail printed:\n" + lastLines(d.running.output.String(), 60) + "\ndavmail logged:\n" + lastLines(string(logged), 60)
}

// Stop ends DavMail, waits until it has ended, and removes its folder. Further
// calls return what the first did.
func (d *DavMail) Stop() error {
	return d.ending.end(d.dir, d.running)
}
