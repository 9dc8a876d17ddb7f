package bridge

import (
	"testing"

	"matrix-messenger/database"
)

func TestARowThatMayBeInItsRoomIsKnownWhicheverWorkerHasItNext(t *testing.T) {
	in := newTestHistory(t).cl.inbound
	in.cl.c.lastRow = 3
	row := database.Incoming{Seq: 7, ChatID: "mary", DedupeKey: "a"}
	other := database.Incoming{Seq: 8, ChatID: "mary", DedupeKey: "b"}
	if in.wasTried(row) {
		t.Error("a new row may be there")
	}
	in.begin(row)
	worker := &chatWorker{running: true, busy: true}
	in.chats["mary"] = worker
	in.rest("mary", worker, true) // as when the chat has to wait for its archive
	row.Seq = 9                   // as when it was moved behind what was missed
	if !in.wasTried(row) || in.wasTried(other) {
		t.Error("what was tried is forgotten with the worker")
	}
	if in.forget(row); in.wasTried(row) || len(in.begun) > 0 {
		t.Error("a row that is done with is remembered")
	}
	row.Seq = 2
	if !in.wasTried(row) {
		t.Error("a row of an earlier run was not tried")
	}
}

func TestAChatThatIsReleasedWhileItsWorkerEndsIsWorkedOn(t *testing.T) {
	h := newTestHistory(t)
	in := h.cl.inbound
	in.ctx = h.ctx
	worker := &chatWorker{running: true}
	in.chats["mary"] = worker
	in.holdChat("mary")
	if in.claim(worker) {
		t.Fatal("a row of a chat that waits is handed over")
	}
	in.releaseChat("mary")
	if in.rest("mary", worker, false) {
		t.Error("the worker ends, and nobody starts it again")
	}
}

func TestAWorkerThatEndsAfterTheNextSessionHasBegunIsReplaced(t *testing.T) {
	cl := newTestHistory(t).cl
	in := cl.inbound
	_ = withDatabase(t, cl).Close() // what a worker reads fails, and so it stays
	worker := &chatWorker{running: true}
	in.chats["mary"] = worker
	in.resume()
	if !worker.again {
		t.Fatal("the worker of the session before is not asked to go on")
	}
	if in.rest("mary", worker, true); in.chats["mary"] == nil || !in.chats["mary"].running {
		t.Error("the worker of the session before ends, and the new one has none")
	}
	in.stop()
	if in.chats["mary"] == nil || in.chats["mary"].running {
		t.Error("what is left for the next session is forgotten")
	}
}

func TestWhatComesInBeforeTheAccountIsUpIsHandedOverOnceItIs(t *testing.T) {
	cl := newTestHistory(t).cl
	in := cl.inbound
	_ = withDatabase(t, cl).Close() // what a worker reads fails, and so it stays
	in.kick("mary")                 // as when an acceptance is handled that came while the bridge was away
	if worker := in.chats["mary"]; worker != nil && worker.running {
		t.Fatal("a chat is worked on before the account is up")
	}
	in.resume()
	in.mu.Lock()
	worker := in.chats["mary"]
	in.mu.Unlock()
	if worker == nil || !worker.running {
		t.Error("nobody hands over what came in before")
	}
	in.stop()
}
