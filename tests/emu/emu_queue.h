// The queues of the emulated GPU. Work is a function; when it is done is chosen so that a missing
// wait shows. EMU_LAND=late: the default queue works at once, the others only when somebody waits
// for them. EMU_LAND=early: the others work at once, the default queue when it is waited for.
//
//     copy on a side queue, no wait, kernel on the default queue     late: it reads what was before
//     kernel on the default queue, no wait, copy on a side queue     early: the copy is too old
#pragma once
#include "emu_block.h"
#include <deque>
#include <functional>
#include <memory>
#include <vector>

namespace simt::emu {
using QueuedWork = std::function<int()>;
struct Queue;

// What is queued between begin_capture and end_capture, in the host's order, which every order that
// events allow permits.
struct Capture {
    Queue *origin;
    std::vector<Queue *> forked; // by waiting for an event of the capture
    std::vector<QueuedWork> work;
    const char *broken = nullptr; // why there will be no recording
};
struct Queue : std::enable_shared_from_this<Queue> {
    bool is_default;
    int *fault; // the device's: a cudaError_t of work that failed
    Queue(bool first, int *of_device) : is_default(first), fault(of_device) {}
    std::deque<QueuedWork> pending;
    uint64_t queued = 0, done = 0;
    std::shared_ptr<Capture> capture; // while capturing
    uint64_t captured = 0, joined = 0;

    void land(uint64_t until) {
        while (done < until) {
            const QueuedWork work = std::move(pending.front());
            pending.pop_front();
            done++;
            if (const int error = work()) *fault = error;
        }
    }
    void land() { land(queued); }
    void add(QueuedWork work) {
        if (capture) {
            captured++;
            capture->work.push_back(std::move(work));
            return;
        }
        queued++;
        pending.push_back(std::move(work));
        if (is_default != settings().early) land();
    }
};
struct Event {
    std::shared_ptr<Queue> queue; // null: never recorded
    std::shared_ptr<Capture> capture;
    uint64_t position = 0;

    void record(Queue *on) {
        queue = on->shared_from_this(); // which may be freed before the event
        capture = on->capture;
        position = capture ? on->captured : on->queued;
    }
};

// null, or why it is refused
inline const char *wait(Queue &q, const Event &event) {
    if (!event.queue) return nullptr;
    if (q.capture != event.capture && (q.capture || !event.capture->origin))
        return "an event of another capture is waited for";
    if (!event.capture) {
        q.add([on = event.queue, until = event.position] {
            on->land(until);
            return 0;
        });
        return nullptr;
    }
    if (!q.capture) {
        q.capture = event.capture;
        q.captured = q.joined = 0;
        q.capture->forked.push_back(&q);
    }
    q.captured++; // whoever joins q must do so behind this
    if (event.position > event.queue->joined) event.queue->joined = event.position;
    return nullptr;
}

inline void begin_capture(Queue &q) {
    q.captured = q.joined = 0;
    q.capture = std::make_shared<Capture>();
    q.capture->origin = &q;
}
// null, or why there is no recording
inline const char *end_capture(Queue &q, std::vector<QueuedWork> *work) {
    const std::shared_ptr<Capture> capture = q.capture;
    if (!capture || capture->origin != &q) return "no capture has begun on this queue";
    const char *broken = capture->broken;
    for (Queue *forked : capture->forked) {
        if (forked->joined < forked->captured) broken = "a fork of the capture was not joined";
        forked->capture = nullptr;
    }
    q.capture = nullptr;
    capture->origin = nullptr; // its events are of no use any more
    *work = std::move(capture->work);
    return broken;
}
} // namespace simt::emu
