package model

import "reflect"

// Class names of what a Cluster without further elements is made of
// (org.apache.catalina.ha.tcp.SimpleTcpCluster.checkDefaults, tribes.group.GroupChannel,
// tribes.transport.ReplicationTransmitter).
const (
	classChannel    = "org.apache.catalina.tribes.group.GroupChannel"
	classMembership = "org.apache.catalina.tribes.membership.McastService"
	classReceiver   = "org.apache.catalina.tribes.transport.nio.NioReceiver"
	classSender     = "org.apache.catalina.tribes.transport.ReplicationTransmitter"
	classTransport  = "org.apache.catalina.tribes.transport.nio.PooledParallelSender"
	classDispatch   = "org.apache.catalina.tribes.group.interceptors.MessageDispatchInterceptor"
	classDetector   = "org.apache.catalina.tribes.group.interceptors.TcpFailureDetector"
	classDelta      = "org.apache.catalina.ha.session.DeltaManager"
)

// EffectiveChannel returns the channel that Tomcat uses: the configured one with
// every missing part and value replaced by Tomcat's default. No part of the
// result is nil. The cluster itself is not changed; configured interceptors are
// shared with it.
func (c *Cluster) EffectiveChannel() *Channel {
	ch := Channel{}
	if c != nil && c.Channel != nil {
		ch = *c.Channel
	}
	fill(&ch.Class, classChannel)
	ch.Membership = copyOrNew(ch.Membership)
	fill(&ch.Membership.Class, classMembership)
	ch.Receiver = copyOrNew(ch.Receiver)
	fill(&ch.Receiver.Class, classReceiver)
	ch.Sender = copyOrNew(ch.Sender)
	fill(&ch.Sender.Class, classSender)
	ch.Sender.Transport = copyOrNew(ch.Sender.Transport)
	fill(&ch.Sender.Transport.Class, classTransport)
	if len(ch.Interceptors) == 0 {
		ch.Interceptors = []*Interceptor{{Class: Def(classDispatch)}, {Class: Def(classDetector)}}
	}
	members := make([]*StaticMember, len(ch.Membership.Members))
	for i, m := range ch.Membership.Members {
		members[i] = copyOrNew(m)
	}
	ch.Membership.Members = members
	applyTags(reflect.ValueOf(ch.Membership).Elem())
	applyTags(reflect.ValueOf(ch.Receiver).Elem())
	applyTags(reflect.ValueOf(ch.Sender).Elem())
	return &ch
}

// EffectiveManager returns the manager template of the cluster: the configured
// one, or a DeltaManager, with Tomcat's defaults for what is not written.
func (c *Cluster) EffectiveManager() *Manager {
	var m *Manager
	if c != nil {
		m = c.Manager
	}
	m = copyOrNew(m)
	fill(&m.Class, classDelta)
	applyTags(reflect.ValueOf(m).Elem())
	return m
}

func copyOrNew[T any](p *T) *T {
	n := new(T)
	if p != nil {
		*n = *p
	}
	return n
}
