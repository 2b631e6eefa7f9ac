package imaptest

import (
	"context"
)

// compressCommands are those of COMPRESS (RFC 4978).
func compressCommands() map[string]command {
	return map[string]command{"COMPRESS": {run: compress, state: authenticated, needs: "COMPRESS=DEFLATE"}}
}

func compress(_ context.Context, s *session, p *parser) (reply, error) {
	if err := p.space(); err != nil {
		return reply{}, err
	}
	mechanism, err := p.word()
	if err != nil {
		return reply{}, err
	}
	if err := p.end(); err != nil {
		return reply{}, err
	}
	switch {
	case mechanism != "DEFLATE":
		return no("", "Unknown compression mechanism"), nil
	case s.compressed:
		return no("COMPRESSIONACTIVE", "DEFLATE active already"), nil
	}
	s.compressed = true
	s.next = startDeflate
	return ok("DEFLATE active"), nil
}
