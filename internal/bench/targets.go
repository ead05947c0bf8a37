//go:build linux

package main

// The figures, by the names that rows give them. Peers are one core of the same
// kind of machine, 1 KB, without TLS; "durable" means synced before the answer.
var targets = []target{
	{name: "1 to 1", reach: 15_000, aim: 30_000, more: true,
		peer: "ejabberd, in memory, 20,900; with PostgreSQL 2,010; JetStream, durable, 2,980; Dendrite 80"},
	{name: "1 to 1, +1 ms a sync", reach: 12_000, aim: 30_000, more: true,
		peer: "JetStream, durable, 668"},
	{name: "1 to 200", reach: 150_000, aim: 400_000, more: true,
		peer: "ejabberd room, not durable, 27,300; JetStream, durable, 5,450; Dendrite 28"},
	{name: "CPU, 1 to 1", reach: 6, aim: 3,
		peer: "ejabberd 4.78, with PostgreSQL 44.7; JetStream, durable, 6.05"},
	{name: "CPU, 1 to 200", reach: 0.8, aim: 0.25,
		peer: "ejabberd 3.67; JetStream, durable, 5.29"},
	{name: "1,000/s, p50", reach: 0.3, aim: 0.1, peer: "ejabberd, in memory, 0.09"},
	{name: "1,000/s, p99", reach: 1.5, aim: 0.4, peer: "ejabberd, in memory, 0.34; JetStream, durable, 436"},
	{name: "stored for who is off", reach: 25_000, aim: 90_000, more: true, peer: "ejabberd 2,640; JetStream, durable, 20,000"},
	{name: "drained after", reach: 80_000, aim: 190_000, more: true, peer: "ejabberd 21,900; JetStream, durable, 32,800"},
	{name: "1,000 idle streams, plain", reach: 8, aim: 5, peer: "ejabberd 39 to 47; JetStream 85 to 106"},
	{name: "1,000 idle streams, TLS", reach: 28, aim: 22, peer: "coder/websocket over TLS 49 to 51"},
	{name: "start to ready", reach: 200, aim: 200},
	{name: "empty server", reach: 40, aim: 40},
	{name: "server binary", reach: 30, aim: 30},
	{name: "acknowledged bodies left on disk", peer: "JetStream some 16,000; SQLite without secure_delete all"},

	{name: "0x0001, 1,000: bulk add", reach: 250, aim: 250},
	{name: "0x0001, 1,000: join", reach: 90, aim: 90},
	{name: "0x0001, 1,000: commit, unmerged", reach: 85, aim: 85},
	{name: "0x0001, 1,000: commit, filled", reach: 3, aim: 3},
	{name: "0x0001, 1,000: process, filled", reach: 4, aim: 4},
	{name: "0x0001, 1,000: encrypt 256 B", reach: 35, aim: 35},
	{name: "0x0001, 1,000: decrypt 256 B", reach: 65, aim: 65},
	{name: "0x0001, 1,000: encrypt, allocations", reach: 6, aim: 6},
	{name: "0x0001, 1,000: decrypt, allocations", reach: 6, aim: 6},
	{name: "0x0001, 1,000: saved after messages, size", reach: 1, aim: 1},
	{name: "0x0002, 1,000: bulk add", reach: 250, aim: 250},
	{name: "0x0002, 1,000: join", reach: 90, aim: 90},
	{name: "0x0002, 1,000: commit, unmerged", reach: 85, aim: 85},
	{name: "0x0002, 1,000: commit, filled", reach: 3, aim: 3},
	{name: "0x0002, 1,000: process, filled", reach: 4, aim: 4},
	{name: "0x0002, 1,000: encrypt 256 B", reach: 35, aim: 35},
	{name: "0x0002, 1,000: decrypt 256 B", reach: 65, aim: 65},
	{name: "0x0002, 1,000: saved after messages, size", reach: 1, aim: 1},
	{name: "0xfa04, 1,000: bulk add", reach: 320, aim: 320},
	{name: "0xfa04, 1,000: join", reach: 120, aim: 120},
	{name: "0xfa04, 1,000: commit, unmerged", reach: 150, aim: 150},
	{name: "0xfa04, 1,000: commit, unmerged, size", reach: 1300, aim: 1300},
	{name: "0xfa04, 1,000: saved after messages, size", reach: 1, aim: 1},
	{name: "0x0001: bulk add, growth to 5,000", reach: 1.3, aim: 1.3},
	{name: "0x0001: bulk add, growth to 10,000", reach: 1.3, aim: 1.3},
	{name: "0x0001: join, growth to 5,000", reach: 1.3, aim: 1.3},
	{name: "0x0001: join, growth to 10,000", reach: 1.3, aim: 1.3},
	{name: "0x0001: process, filled, growth to 5,000", reach: 2, aim: 2},
	{name: "0x0001: process, filled, growth to 10,000", reach: 2, aim: 2},
	{name: "0x0001: group of 10,000 in memory", reach: 60, aim: 60},
	{name: "0x0001, 1,000: bulk add on two cores", reach: 0.6, aim: 0.6},
	{name: "0x0001, 1,000: join on two cores", reach: 0.6, aim: 0.6},
	{name: "0xfa04: bulk add, growth to 5,000", reach: 1.3, aim: 1.3},
	{name: "0xfa04: bulk add, growth to 10,000", reach: 1.3, aim: 1.3},
	{name: "0xfa04: join, growth to 5,000", reach: 1.3, aim: 1.3},
	{name: "0xfa04: join, growth to 10,000", reach: 1.3, aim: 1.3},
	{name: "0xfa04: process, filled, growth to 5,000", reach: 2, aim: 2},
	{name: "0xfa04: process, filled, growth to 10,000", reach: 2, aim: 2},
	{name: "0xfa04: group of 10,000 in memory", reach: 60, aim: 60},
	{name: "0xfa04, 1,000: bulk add on two cores", reach: 0.6, aim: 0.6},
	{name: "0xfa04, 1,000: join on two cores", reach: 0.6, aim: 0.6},

	{name: "page, first paint", reach: 500, aim: 500},
	{name: "page, an invite can be taken", reach: 1500, aim: 1500},
	{name: "page, core in Brotli", reach: 2.2, aim: 2.2},
	{name: "page again, first paint", reach: 500, aim: 500},
	{name: "page again, all of it", reach: 1500, aim: 1500},
	{name: "page, hand-over to another tab", reach: 300, aim: 300},
}

// targetOf finds the target of a figure; not every figure has one.
func targetOf(name string) (target, bool) {
	for _, t := range targets {
		if t.name == name {
			return t, true
		}
	}
	return target{}, false
}
