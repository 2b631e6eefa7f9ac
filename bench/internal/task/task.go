// Package task tells the programs that are compared what to do, and takes their
// word for what they have done.
package task

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net"
	"os"

	"github.com/mailsession/mailsession/secret"
)

// Variable is the environment variable that holds a task as JSON.
const Variable = "MAILSESSION_BENCH_TASK"

// The kinds of work.
const (
	Full      = "full"      // every message of a folder as a whole, one after the other
	Summaries = "summaries" // subject, addresses, date, flags and size of every message
	Both      = "both"      // the summaries of a folder, and then every message of it as a whole
	Collect   = "collect"   // the same, all of them kept until the end
	Keep      = "keep"      // the same, kept as they came and looked at in the end
	Opens     = "opens"     // some messages, far apart, each asked for by itself
	Send      = "send"      // a message many times
	Compose   = "compose"   // many messages, each made before it is sent
	First     = "first"     // what is in a folder that nothing is known of
	Again     = "again"     // what happened in it since
	Watch     = "watch"     // what happens in many mailboxes
)

// Task is what a program is to do.
type Task struct {
	Kind        string `json:"kind"`
	Address     string `json:"address"` // host:port
	TLS         bool   `json:"tls"`
	StartTLS    bool   `json:"startTLS"`
	CAFile      string `json:"caFile"` // the authority behind the server's certificate
	User        string `json:"user"`
	Password    string `json:"password"`
	Folder      string `json:"folder"`
	Connections int    `json:"connections"` // of Opens, Send and Compose; the mailboxes of Watch
	Opens       int    `json:"opens"`       // how many messages Opens reads
	Messages    int    `json:"messages"`    // how many are sent
	File        string `json:"file"`        // holds the message that is sent, or what First leaves for Again
	From        string `json:"from"`
	To          string `json:"to"`
	Dir         string `json:"dir"` // empty, for programs that store
}

// Run is the main function of a program that does tasks. A program ends with a
// line that holds how many messages and how many bytes of them it read.
func Run(do func(context.Context, Task) (messages int, bytes int64, err error)) {
	log.SetFlags(0)
	var t Task
	err := json.Unmarshal([]byte(os.Getenv(Variable)), &t)
	if err != nil {
		log.Fatalf("read the task in %s: %v", Variable, err)
	}
	messages, bytes, err := do(context.Background(), t)
	if err == nil {
		_, err = fmt.Fprintln(os.Stdout, messages, bytes)
	}
	if err != nil {
		log.Fatalf("%s: %v", t.Kind, err)
	}
}

// Secret returns the password.
func (t Task) Secret() secret.Text { return secret.New(t.Password) }

// ClientTLS returns settings that trust the server.
func (t Task) ClientTLS() (*tls.Config, error) {
	pem, err := os.ReadFile(t.CAFile)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, errors.New("no certificate in " + t.CAFile)
	}
	host, _, err := net.SplitHostPort(t.Address)
	return &tls.Config{RootCAs: roots, ServerName: host, MinVersion: tls.VersionTLS12}, err
}

// Share has each of the connections send its share of the messages.
func (t Task) Share(send func(messages int) error) error {
	done := make(chan error)
	for n := range t.Connections {
		share := t.Messages/t.Connections + min(1, max(0, t.Messages%t.Connections-n))
		go func() { done <- send(share) }()
	}
	var errs []error
	for range t.Connections {
		errs = append(errs, <-done)
	}
	return errors.Join(errs...)
}

// Dial connects to the server.
func (t Task) Dial(ctx context.Context) (net.Conn, error) {
	if !t.TLS {
		return (&net.Dialer{}).DialContext(ctx, "tcp", t.Address)
	}
	config, err := t.ClientTLS()
	if err != nil {
		return nil, err
	}
	return (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", t.Address)
}
