package ewstest

import (
	"encoding/base64"
	"fmt"
	"maps"
	"strings"
)

// state writes down what a sync state means. Clients cannot tell.
func (s *Server) state(format string, args ...any) string {
	s.mu.Lock()
	generation := s.generation
	s.mu.Unlock()
	text := fmt.Sprintf("%d;", generation) + fmt.Sprintf(format, args...)
	return base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%s;%016x", text, hash([]byte(text))))
}

// meaning reads a sync state of this server.
func (s *Server) meaning(state string) (string, error) {
	refused := fail("ErrorInvalidSyncStateData", "The synchronization state data is corrupt or otherwise invalid.")
	b, err := base64.StdEncoding.DecodeString(state)
	text := string(b)
	i := strings.LastIndexByte(text, ';')
	if err != nil || i < 0 || text[i+1:] != fmt.Sprintf("%016x", hash(b[:i])) {
		return "", refused
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	rest, ok := strings.CutPrefix(text[:i], fmt.Sprintf("%d;", s.generation))
	if !ok {
		return "", refused
	}
	return rest, nil
}

// ExpireSyncStates makes all sync states invalid that clients have, as the move
// of a mailbox to another server may.
func (s *Server) ExpireSyncStates() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.generation++
}

func syncFolderHierarchy(c *call) error {
	shape, err := c.folderShape()
	if err != nil {
		return err
	}
	return c.respond(1, func(int) error {
		top := named(c.tree(c.actor), "msgfolderroot")
		if id := c.req.child("SyncFolderId").first(); id != nil {
			if top, err = c.resolve(id); err != nil {
				return err
			}
		}
		old := map[uint64]string{}
		if state := c.req.child("SyncState").value(); state != "" {
			if old, err = c.server.hierarchy(state, top.id); err != nil {
				return err
			}
		}
		c.writeHierarchy(top, old, shape)
		return nil
	})
}

// writeHierarchy writes what changed below a folder since a client was told of
// the old folders.
func (c *call) writeHierarchy(top *folder, old map[uint64]string, shape folderShape) {
	now := make(map[uint64]string)
	var all []*folder
	for _, f := range top.descendants() {
		if c.mayUse(f) {
			all = append(all, f)
			now[f.id] = f.changeKey()
		}
	}
	c.w.elem("m:SyncState", c.server.keepHierarchy(now, top.id))
	c.w.boolean("m:IncludesLastFolderInRange", true)
	c.w.start("m:Changes")
	for _, f := range all {
		c.writeFolderChange(f, old[f.id], shape)
	}
	for id := range maps.Keys(old) {
		if _, there := now[id]; !there {
			gone := &folder{owner: top.owner, id: id}
			c.w.start("t:Delete")
			c.w.empty("t:FolderId", "Id", gone.key())
			c.w.end()
		}
	}
	c.w.end()
}

// writeFolderChange writes a folder that is new, or not what it was.
func (c *call) writeFolderChange(f *folder, old string, shape folderShape) {
	name := "t:Create"
	if old != "" {
		name = "t:Update"
	}
	if old == f.changeKey() {
		return
	}
	c.w.start(name)
	c.writeFolder(f, shape)
	c.w.end()
}

// keepHierarchy remembers the folders that a client was told of.
func (s *Server) keepHierarchy(now map[uint64]string, top uint64) string {
	state := s.state("H;%d;%d", top, s.next())
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hierarchies[state] = now
	return state
}

func (s *Server) hierarchy(state string, top uint64) (map[uint64]string, error) {
	text, err := s.meaning(state)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	old, there := s.hierarchies[state]
	if !there || !strings.HasPrefix(text, fmt.Sprintf("H;%d;", top)) {
		return nil, fail("ErrorInvalidSyncStateData", "The synchronization state data is of another folder.")
	}
	return old, nil
}
