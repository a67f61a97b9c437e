package session

import (
	"context"
	"log/slog"
	"sync"

	"clowder/runtime/javaser"
	"clowder/runtime/tribes"
)

// Channel is what the cluster needs of a *tribes.Channel.
type Channel interface {
	// Send sends data to the members. With acknowledgement options it returns when all have acknowledged.
	Send(ctx context.Context, data []byte, opts tribes.SendOptions, to ...tribes.Member) error
	Members() []tribes.Member
	Local() tribes.Member
}

// Cluster is the session layer of one channel: it knows the managers by their
// context and hands them what the members send. It implements tribes.Listener.
type Cluster struct {
	ch  Channel
	log *slog.Logger

	mu       sync.Mutex
	managers map[string]*manager

	answering chan struct{} // limits the answers being sent at the same time
}

var (
	_ Channel         = (*tribes.Channel)(nil)
	_ tribes.Listener = (*Cluster)(nil)
)

const (
	maxAnswers     = 8
	optAsync       = tribes.SendOptions(8) // fixed for GET_ALL_SESSIONS and "no RPC channel"
	optSyncAck     = tribes.SendOptions(6) // fixed for ALL_SESSION_DATA
	maxContextName = 1024
)

// NewCluster returns the session layer of the channel; a nil log discards.
func NewCluster(ch Channel, log *slog.Logger) *Cluster {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Cluster{ch: ch, log: log, managers: map[string]*manager{}, answering: make(chan struct{}, maxAnswers)}
}

// NewDelta returns a manager whose sessions all members of the cluster hold, as
// Tomcat's DeltaManager. It takes part from Start on.
func (c *Cluster) NewDelta(cfg Config) Manager {
	if cfg.Log == nil {
		cfg.Log = c.log
	}
	return newManager(cfg, c)
}

func (c *Cluster) register(m *manager) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.managers[m.cfg.Context] = m
}

func (c *Cluster) forget(m *manager) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.managers[m.cfg.Context] == m {
		delete(c.managers, m.cfg.Context)
	}
}

func (c *Cluster) all() []*manager {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make([]*manager, 0, len(c.managers))
	for _, m := range c.managers {
		out = append(out, m)
	}
	return out
}

func (c *Cluster) send(msg *message, opts tribes.SendOptions, to ...tribes.Member) error {
	data, err := msg.encode()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), sendTimeout)
	defer cancel()
	return c.ch.Send(ctx, data, opts, to...)
}

// answer runs f beside the receiver; when too many answers are under way it is left out.
func (c *Cluster) answer(f func()) {
	select {
	case c.answering <- struct{}{}:
		go func() {
			defer func() { <-c.answering }()
			f()
		}()
	default:
		c.log.Warn("too many requests of members at once, one is not answered")
	}
}

// MemberAdded is part of tribes.Listener; a new member asks for the state itself.
func (c *Cluster) MemberAdded(tribes.Member) {}

// MemberDisappeared tells state transfers that wait for the member to ask another one.
func (c *Cluster) MemberDisappeared(gone tribes.Member) {
	for _, m := range c.all() {
		m.transfer.memberGone(gone)
	}
}

// Message takes one message of a member. What cannot be read is logged and
// counts as handled, as in Tomcat (the sender gets its acknowledgement), so the
// error is always nil. It is safe to call from many goroutines and does not keep data.
func (c *Cluster) Message(from tribes.Member, data []byte, opts tribes.SendOptions) error {
	if opts&1 != 0 {
		return nil
	}
	r := javaser.NewReader(data)
	node := r.Node()
	if err := r.Err(); err != nil {
		c.log.Warn("message of a member cannot be read", "member", from.Name(), "error", err)
		return nil
	}
	o, ok := node.(*javaser.Object)
	if !ok {
		return nil
	}
	switch o.Class.Name {
	case nameSessionMessage:
		msg, err := messageOf(o)
		if err != nil {
			c.log.Warn("message of a member cannot be read", "member", from.Name(), "error", err)
			return nil
		}
		c.dispatch(from, msg)
	case nameRPC:
		reply, uuid, id, ok := rpc(o)
		if !ok || reply {
			return nil
		}
		c.answer(func() { c.refuseRPC(from, uuid, id) })
	}
	return nil
}

func (c *Cluster) refuseRPC(to tribes.Member, uuid, id []byte) {
	data, err := noRPCReply(uuid, id)
	if err == nil {
		ctx, cancel := context.WithTimeout(context.Background(), sendTimeout)
		defer cancel()
		err = c.ch.Send(ctx, data, optAsync, to)
	}
	if err != nil {
		c.log.Warn("RPC request not answered", "member", to.Name(), "error", err)
	}
}

func (c *Cluster) dispatch(from tribes.Member, msg *message) {
	if msg.anyCtx {
		for _, m := range c.all() {
			m.receive(from, msg)
		}
		return
	}
	c.mu.Lock()
	m := c.managers[msg.context]
	c.mu.Unlock()
	if m != nil {
		m.receive(from, msg)
		return
	}
	if msg.event == evGetAll && len(msg.context) <= maxContextName {
		c.answer(func() {
			no := &message{event: evNoContext, context: msg.context, id: "NO-CONTEXT-MANAGER", unique: "NO-CONTEXT-MANAGER-" + msg.context}
			if err := c.send(no, optAsync, from); err != nil {
				c.log.Warn("state request not answered", "member", from.Name(), "error", err)
			}
		})
		return
	}
	c.log.Debug("context manager does not exist", "context", msg.context)
}
