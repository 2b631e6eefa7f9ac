package fakenet

import "github.com/mailsession/mailsession/mailtest"

// Content is what the client sends behind a command, such as a message, while it
// comes in. What a [mailtest.Fault] wants with it happens here.
type Content struct {
	conn   *Conn
	fault  mailtest.Fault
	got    int  // bytes so far
	paused int  // of them when the last pause was made
	called bool // the fault's Call, Before and Reply are done
}

// Content starts to take in what belongs to the command line, which must hold
// no secret. It waits where a fault says so, and fails as [Conn.Begin] does.
func (c *Conn) Content(line string) (*Content, error) {
	if c.silent {
		return nil, ErrStopped
	}
	t := &Content{conn: c, fault: c.server.fault(mailtest.Content, line)}
	t.called = t.fault.Call == nil && t.fault.Before == "" && t.fault.Reply == ""
	if t.fault.Delay > 0 {
		if err := c.pause(t.fault.Delay); err != nil {
			return nil, err
		}
	}
	return t, t.Took(0)
}

// Next returns how many of the n bytes that are to come may be read in one go.
func (t *Content) Next(n int) int {
	for _, stop := range []int{t.stopAt(), t.callAt(), t.pauseAt()} {
		if stop > t.got {
			n = min(n, stop-t.got)
		}
	}
	return n
}

// Took counts n bytes that were read. It fails with [ErrStopped] where a fault
// ends the connection here.
func (t *Content) Took(n int) error {
	t.got += n
	if at := t.callAt(); at >= 0 && t.got >= at {
		if err := t.call(); err != nil {
			return err
		}
	}
	if at := t.stopAt(); at >= 0 && t.got >= at {
		return t.conn.stopAs(t.fault.Stop)
	}
	if at := t.pauseAt(); at >= 0 && t.got >= at {
		t.paused = t.got
		return t.conn.pause(t.fault.Pause)
	}
	return nil
}

// stopAt returns after how many bytes the connection ends, callAt and pauseAt
// when something is said or waited for; -1 where that never happens.
func (t *Content) stopAt() int {
	switch {
	case t.fault.Stop == mailtest.StopNever:
		return -1
	case t.fault.Reply != "":
		return t.fault.CallAfter // the answer is the last thing said
	}
	return max(0, t.fault.StopAfter)
}

func (t *Content) callAt() int {
	if t.called {
		return -1
	}
	return t.fault.CallAfter
}

func (t *Content) pauseAt() int {
	if t.fault.Pause == 0 {
		return -1
	}
	return t.paused + max(1, t.fault.Chunk)
}

// call does what the fault wants after CallAfter bytes.
func (t *Content) call() error {
	t.called = true
	if t.fault.Call != nil {
		t.fault.Call()
	}
	text := t.fault.Before
	if t.fault.Reply != "" {
		text += t.fault.Reply + "\r\n"
	}
	if _, err := t.conn.w.WriteString(text); err != nil {
		return err
	}
	return t.conn.w.Flush()
}
