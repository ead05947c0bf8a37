import { FakeDoor, type FakeOptions } from "./fake";

/** The people of a small harbour, and what they have said. */
export function harbour(options: FakeOptions = {}): FakeDoor {
  const d = new FakeDoor(options);
  const me = d.me.user;
  d.person(me, d.me.name, "verified")
    .person("u-jonas", "Jonas Brandt", "verified", 2)
    .person("u-aisha", "Aisha Karimi", "verified", 3)
    .person("u-tomas", "Tomás Rey", "unverified", 1)
    .person("u-wen", "Wen Li", "verified", 2)
    .person("u-noor", "نور حداد", "unverified", 1)
    .person("u-ingrid", "Ingrid Sørensen-Løvenskiold", "unverified", 2)
    .person("u-pavel", "Pavel Novotný", "changed", 2)
    .person("u-elif", "Elif Aydın", "unverified", 1);
  d.devices = [
    { device: "d-this", name: d.me.deviceName, added: ago(2), this: true, fingerprint: "42917 08834 55120 79302", lastSeen: Date.now() },
    { device: "d-phone", name: "Pixel 11", added: ago(140), fingerprint: "10458 66190 27731 40085", lastSeen: Date.now() - 7 * 60_000 },
    { device: "d-term", name: "sconce on boathouse", added: ago(31), fingerprint: "93300 12764 80218 55547", lastSeen: ago(1) },
  ];

  watch(d);
  night(d);

  const jonas = d.direct("u-jonas", { burn: 60 });
  d.say(jonas, "u-jonas", "The gate code changed again. I'll send it here, it burns a minute after you've read it.", 62, { expires: Date.now() + 7_000_000 });
  d.say(jonas, me, "Good. Nothing on paper this time.", 60, { state: "read", burn: 60, expires: Date.now() + 41_000 });
  d.say(jonas, "u-jonas", "`7704`, then the small key.", 3, { burn: 60, expires: Date.now() + 8_000 });
  d.say(jonas, "u-jonas", "Lower door first.", 2, { burn: 60, expires: Date.now() + 52_000 });

  const rota = d.room("r-rota", "Boat rota", ["u-ingrid", "u-tomas", "u-elif", "u-wen"], { notify: "mentions", expire: 604_800 });
  d.say(rota, "u-ingrid", "I can take Sunday if someone swaps me out of Wednesday.", 300);
  d.say(rota, "u-elif", "Wednesday is fine for me.", 280);
  d.unread(rota, 2);

  const aisha = d.direct("u-aisha");
  d.say(aisha, me, "Did the parts come?", 1500);
  d.say(aisha, "u-aisha", "Two of three. The impeller is somewhere between here and Bergen.", 1490);
  aisha.draft = "Then let's borrow the one from";

  const noor = d.direct("u-noor");
  d.say(noor, "u-noor", "صباح الخير! هل يبدأ الاجتماع عند الساعة 9:30؟", 1700);
  d.say(noor, me, "Yes, 9:30 in the boathouse.", 1690);
  d.unread(noor, 0);

  const pavel = d.direct("u-pavel");
  d.notice(pavel, 2000, { what: "key-change", who: ["u-pavel"] }, "Pavel's safety number changed");
  d.say(pavel, "u-pavel", "New phone, same me.", 1990);

  const old = d.room("r-old", "Summer regatta", ["u-ingrid", "u-elif"], { left: true });
  d.say(old, "u-elif", "See you all next year!", 60 * 24 * 40);
  return d;
}

const ago = (days: number): number => Date.now() - days * 86_400_000;

function watch(d: FakeDoor): void {
  const me = d.me.user;
  const r = d.room("r-watch", "Harbour watch", ["u-jonas", "u-aisha", "u-tomas", "u-wen"], {
    pinned: true, description: "Who is on, what is out, what is broken.",
  });
  const day = 24 * 60;
  d.notice(r, 3 * day, { what: "started", by: "u-aisha" }, "Aisha started the room");
  d.say(r, "u-aisha", "Moved us here from the old list. Everything older stays where it was.", 3 * day - 1);
  d.notice(r, 3 * day - 4, { what: "added", by: "u-aisha", who: [me, "u-wen"] }, "Aisha added you and Wen");
  d.say(r, "u-tomas", "Wind picks up after two. Anything tied to the outer ring should come in.", day + 90);
  const list = d.say(r, "u-aisha", "Then this is the order:\n\n1. *Petrel* to the inner ring\n2. both tenders up\n3. fuel line closed **before** the pump is off\n\nLast time we did 3 the other way round and I am still cleaning.", day + 84, {
    reactions: [{ emoji: "👍", by: ["u-jonas", "u-wen", me], mine: "x-1" }, { emoji: "🙈", by: ["u-tomas"] }],
  });
  d.say(r, me, "I'll take the tenders.", day + 80, { replyTo: list.id, receipts: { delivered: ["u-jonas", "u-aisha", "u-tomas", "u-wen"], read: ["u-jonas", "u-aisha"] } });
  d.say(r, me, "Back at one, keys are on the hook.", day + 79);
  d.say(r, "u-jonas", "gauge says", day + 40, { deleted: true, text: undefined });
  d.notice(r, day + 30, { what: "timer", by: "u-aisha", expire: 2_592_000 }, "Aisha set messages to expire after 30 days");
  r.expire = 2_592_000;
  d.say(r, "u-wen", "Pump is off, line is closed. Log for the curious:\n\n```\n14:02 line closed   0.0 bar\n14:03 pump off\n14:09 level steady\n```", 52);
  d.say(r, "u-wen", "Took me four minutes, not the nine it says in the [manual](https://docs.skerry.example/pump).", 51, { edited: true });
  d.revisions.set(`m-${r.last}`, [{ text: "Took me four minutes.", time: Date.now() - 51.5 * 60_000 }]);
  d.say(r, me, "Beautiful. That goes in the handbook.", 47, { reactions: [{ emoji: "⚓", by: ["u-wen"] }] });
  d.say(r, "u-jonas", "> fuel line closed **before** the pump is off\n\nCan someone put this on the door? In *large* letters.", 21);
  d.say(r, "u-tomas", "[@Mira Halden](mimi://f7yqk2m4nzt6/u/u-mira) are you still down there? The lamp on the mole is out again.", 6, { mentions: [{ user: me, name: "Mira Halden" }], mentionsMe: true });
  d.say(r, "u-tomas", "Second time this week.", 5);
  d.unread(r, 2, 1);
}

function night(d: FakeDoor): void {
  const r = d.room("r-night", "Night shift", ["u-aisha", "u-wen", "u-ingrid"], { notify: "none" });
  const lines = ["All quiet.", "Ferry was eleven minutes late.", "Rain.", "Two lights north-east, fishing I think.", "Coffee machine works again!", "Handed over to the next watch."];
  const people = ["u-aisha", "u-wen", "u-ingrid", d.me.user];
  for (let i = 0; i < 900; i++) {
    d.say(r, people[(i * 7 + (i >> 3)) % 4] ?? d.me.user, `${lines[(i * 5) % lines.length]} (${i + 1})`, 60 * 24 * 6 - i * 9);
  }
  d.unread(r, 3);
}
