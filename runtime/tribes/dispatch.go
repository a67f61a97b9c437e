package tribes

import (
	"context"
	"sync"
)

// queued is one message waiting for its destination.
type queued struct {
	to    Member
	frame []byte
	opts  SendOptions
}

// queueState is what the queues of all destinations share
// (interceptors.MessageDispatchInterceptor). Unlike Tomcat's pool of threads,
// each destination has one worker, so that queued messages keep their order.
type queueState struct {
	mu    sync.Mutex
	bytes int64
	freed chan struct{} // closed when bytes shrink and somebody waits
}

// changed returns a channel that is closed at the next change. mu is held.
func (q *queueState) changed() <-chan struct{} {
	if q.freed == nil {
		q.freed = make(chan struct{})
	}
	return q.freed
}

// release gives n bytes back.
func (q *queueState) release(n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.bytes -= int64(n)
	if q.freed != nil {
		close(q.freed)
		q.freed = nil
	}
}

// wait waits until nothing is queued or ctx is done.
func (q *queueState) wait(ctx context.Context) {
	for {
		q.mu.Lock()
		if q.bytes == 0 {
			q.mu.Unlock()
			return
		}
		ch := q.changed()
		q.mu.Unlock()
		select {
		case <-ch:
		case <-ctx.Done():
			return
		}
	}
}

// enqueue queues a frame for the member. Where Tomcat, out of room, sends on the
// caller's thread (alwaysSend), the caller waits for room here: the order stays.
func (c *Channel) enqueue(ctx context.Context, m Member, frame []byte, opts SendOptions) error {
	d, err := c.dest(m)
	if err != nil {
		return err
	}
	q := &c.queue
	for {
		q.mu.Lock()
		// A message larger than the whole queue goes alone.
		if q.bytes == 0 || q.bytes+int64(len(frame)) <= c.cfg.maxQueue {
			break
		}
		if !c.cfg.alwaysSend {
			q.mu.Unlock()
			return ErrQueueFull
		}
		ch := q.changed()
		q.mu.Unlock()
		select {
		case <-ch:
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-c.ctx.Done():
			return ErrStopped
		}
	}
	defer q.mu.Unlock()
	q.bytes += int64(len(frame))
	d.queue = append(d.queue, queued{m, frame, opts})
	if !d.working {
		d.working = true
		c.background(func() { c.work(d) })
	}
	return nil
}

// work sends what is queued for one destination, in order, and ends when the queue is empty.
func (c *Channel) work(d *dest) {
	q := &c.queue
	for {
		q.mu.Lock()
		if len(d.queue) == 0 || c.ctx.Err() != nil {
			d.working = false
			d.queue = nil
			q.mu.Unlock()
			return
		}
		next := d.queue[0]
		d.queue[0] = queued{}
		d.queue = d.queue[1:]
		q.mu.Unlock()
		if err := c.transmit(c.ctx, next.to, next.frame, next.opts); err != nil && c.ctx.Err() == nil {
			c.log.Warn("a queued message did not reach a member", "member", next.to.Name(), "err", err)
			if _, ok := c.find(next.to); !ok {
				c.dropQueue(d)
			}
		}
		q.release(len(next.frame))
	}
}

// dropQueue drops what is queued for a member that is gone.
func (c *Channel) dropQueue(d *dest) {
	c.queue.mu.Lock()
	n := 0
	for _, m := range d.queue {
		n += len(m.frame)
	}
	d.queue = nil
	c.queue.mu.Unlock()
	c.queue.release(n)
}
