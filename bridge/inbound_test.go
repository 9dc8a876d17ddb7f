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
	if in.end(row); in.wasTried(row) || len(in.begun) > 0 {
		t.Error("a row that is done with is remembered")
	}
	row.Seq = 2
	if !in.wasTried(row) {
		t.Error("a row of an earlier run was not tried")
	}
}
