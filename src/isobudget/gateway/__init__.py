"""The gateway: an OpenAI-compatible server that spends a budget over models and answers with what passed its tests.

One request goes this way:

    connections    timeouts on the first byte and the headers, and a limit on connections, as uvicorn has neither
    web            routes, limits on requests, errors in OpenAI's form; shared by the gateway and the judge service
    keys           finds the account; keys are stored as hashes, with their budgets
    asked          reads the request's body once: messages, tests, budget, policy
    app            chooses the policy or the model, and builds the answer
    passing        forwards a request to one model behind a server
    runner         plays the policy's `Stepper`: draws, judges, cancels calls in flight at the first pass
    upstream       a model to draw samples from: its interface, and engines in this process
    served         a model behind a server; several samples are requested in one call if the server supports it
    ledger         limits spending: a call's maximum cost is reserved durably before the call, and settled after it
    store          the ledger's rows in SQLite, append-only; many calls share one commit
    judging        a pool of judges of foreign tests; each serves one key at a time
    answers        the answer: complete, or as a stream with heartbeats
    responses      OpenAI's responses API on top of chat, for text only
    judge_service  verdicts over HTTP, for machines that cannot confine samples

Everything that waits is asynchronous; the judge and embedded engines block, and have their own threads. Only `api` and
`cli` import the gateway. `amounts`, `budgets`, `asked`, `responses` and `answers` are pure.

Not covered: TLS (a proxy in front does that), several processes on one ledger, images and audio.
"""
