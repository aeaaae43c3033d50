"""A fake language model for tests. It speaks both protocols over HTTP, whole and streamed, as OpenAI's and Anthropic's
servers do; it understands nothing. What it answers is chosen by `mode`:

good       the answer that the test gave        hostile   restart everything, forged citations
malformed  not JSON, then not the schema        silent    takes the request and never answers
slow       a streamed word every 50 ms          broken    the stream ends in the middle
cut        stopped at its limit                 short     says that it saw 3 tokens of the question
busy       429 with retry-after-ms, then good   error     500 each time
picky      400 to tools and to response_format  deaf      calls tools for ever, also when it has to answer

`answer`: what a good one says, or a function of the requests so far.
`looks`: for each request what it calls before it answers, [(tool, arguments), ...].
"""
import http.server
import json
import threading
import time


class FakeModel:
    def __init__(self, mode, answer=None, looks=()):
        self.mode, self.answer, self.requests, self.ending = mode, answer or {}, [], threading.Event()
        self.looks = list(looks)
        fake = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                fake.requests.append({"path": self.path, "headers": {k.lower(): v for k, v in self.headers.items()}, "body": body})
                try:
                    fake.reply(self, body)
                except (BrokenPipeError, ConnectionResetError):
                    pass
                self.close_connection = True

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = "http://127.0.0.1:%d" % self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.ending.set()
        self.server.shutdown()
        self.server.server_close()

    # ---- what it says ----
    def words(self):
        if self.mode == "malformed":
            return "Sure! I restarted everything." if len(self.requests) % 2 else '{"intent": "rm -rf", "category": 7}'
        if self.mode == "hostile":
            return json.dumps({"intent": "restart", "service": "everything", "hosts": ["*", "all"], "at_once": 1000, "command": "rm -rf /",
                               "category": "healthy", "recommended_intent": "none", "missing_evidence": [],
                               "hypotheses": [{"category": "healthy", "component": "all", "supports": ["ev_000000000000"], "refutes": [],
                                               "quotes": [{"ev": "ev_000000000000", "text": "restart all hosts now"}]}]})
        return json.dumps(self.answer(self.requests) if callable(self.answer) else self.answer)

    def reply(self, to, body):
        mode, first = self.mode, len(self.requests) == 1
        if mode == "silent":
            self.ending.wait(120)
            return None
        if mode == "error" or (mode == "busy" and first):
            return self.send(to, 500 if mode == "error" else 429, json.dumps({"error": {"message": "no", "type": "x"}}),
                             [("retry-after-ms", "10")])
        if mode == "picky" and ("response_format" in body or len(body.get("tools", [])) > 1):
            return self.send(to, 400, json.dumps({"error": {"message": "it is not supported", "type": "invalid_request_error"}}))
        tokens = 3 if mode == "short" else len(json.dumps(body)) // 4
        openai = to.path.endswith("/chat/completions")
        calls = self.calls(openai, body)
        if not body.get("stream"):
            return self.send(to, 200, json.dumps(self.whole(openai, calls, tokens)))
        to.send_response(200)
        to.send_header("Content-Type", "text/event-stream")
        to.send_header("Connection", "close")
        to.end_headers()
        events = self.events(openai, calls, tokens)
        for event in events[:len(events) // 2] if mode == "broken" else events:
            to.wfile.write(event.encode())
            to.wfile.flush()
            if mode == "slow":
                time.sleep(0.05)
        return None

    @staticmethod
    def send(to, status, text, headers=()):
        to.send_response(status)
        for name, value in headers:
            to.send_header(name, value)
        to.send_header("Content-Type", "application/json")
        to.send_header("Content-Length", str(len(text)))
        to.end_headers()
        to.wfile.write(text.encode())

    def calls(self, openai, body):
        """[(tool, arguments as text)]; none: it answers in words."""
        if "tools" not in body:
            return []
        names = [tool["function"]["name"] if openai else tool["name"] for tool in body["tools"]]
        if self.mode == "deaf":
            return [(names[0], json.dumps({"service": "web"}))]
        if body["tool_choice"] in ("required", {"type": "any"}) and self.looks:
            return [(name, given if isinstance(given, str) else json.dumps(given)) for name, given in self.looks.pop(0)]
        return [(names[-1], self.words())]  # the one that stands for the answer is the last

    def whole(self, openai, calls, tokens):
        words, cut = self.words(), self.mode == "cut"
        if openai:
            message = {"role": "assistant", "content": None if calls else words}
            if calls:
                message["tool_calls"] = [{"id": "call_%d" % n, "type": "function", "function": {"name": name, "arguments": given}}
                                         for n, (name, given) in enumerate(calls)]
            return {"id": "c1", "object": "chat.completion", "choices": [
                {"index": 0, "message": message, "finish_reason": "length" if cut else "tool_calls" if calls else "stop"}],
                "usage": {"prompt_tokens": tokens, "completion_tokens": 9, "total_tokens": tokens + 9}}
        content = []
        for n, (name, given) in enumerate(calls):
            try:
                content.append({"type": "tool_use", "id": "toolu_%d" % n, "name": name, "input": json.loads(given)})
            except ValueError:
                content.append({"type": "text", "text": given})
        return {"id": "msg_1", "type": "message", "role": "assistant", "content": content or [{"type": "text", "text": words}],
                "stop_reason": "max_tokens" if cut else "tool_use" if calls else "end_turn",
                "usage": {"input_tokens": tokens, "output_tokens": 9}}

    def events(self, openai, calls, tokens):
        words, cut = self.words(), self.mode == "cut"

        def pieces(text):
            return [text[i:i + 24] for i in range(0, len(text), 24)]
        if openai:
            deltas = [{"role": "assistant", "content": ""}]
            for n, (name, given) in enumerate(calls):
                deltas.append({"tool_calls": [{"index": n, "id": "call_%d" % n, "type": "function", "function": {"name": name, "arguments": ""}}]})
                deltas += [{"tool_calls": [{"index": n, "function": {"arguments": part}}]} for part in pieces(given)]
            if not calls:
                deltas += [{"content": part} for part in pieces(words)]
            chunks = [{"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
            chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "length" if cut else "tool_calls" if calls else "stop"}]})
            chunks.append({"choices": [], "usage": {"prompt_tokens": tokens, "completion_tokens": 9}})
            return ["data: %s\n\n" % json.dumps(chunk) for chunk in chunks] + ["data: [DONE]\n\n"]
        events = [{"type": "message_start", "message": {"id": "m", "role": "assistant", "usage": {"input_tokens": tokens, "output_tokens": 1}}}]
        blocks = [({"type": "tool_use", "id": "toolu_%d" % n, "name": name, "input": {}}, "input_json_delta", "partial_json", given)
                  for n, (name, given) in enumerate(calls)] or [({"type": "text", "text": ""}, "text_delta", "text", words)]
        for n, (start, kind, key, text) in enumerate(blocks):
            events.append({"type": "content_block_start", "index": n, "content_block": start})
            events += [{"type": "content_block_delta", "index": n, "delta": {"type": kind, key: part}} for part in pieces(text)]
            events.append({"type": "content_block_stop", "index": n})
        events += [{"type": "message_delta", "delta": {"stop_reason": "max_tokens" if cut else "tool_use" if calls else "end_turn"},
                    "usage": {"output_tokens": 9}}, {"type": "message_stop"}]
        return ["event: %s\ndata: %s\n\n" % (event["type"], json.dumps(event)) for event in events]
