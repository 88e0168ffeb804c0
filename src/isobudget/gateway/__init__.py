"""The gateway: an OpenAI-compatible server that spends a budget over models and answers with what passed its tests.

One request goes this way:

    app            routes, errors in OpenAI's form; one factory for the gateway and the judge's service connections
    timers on first byte and headers, a cap on connections, which uvicorn lacks keys           who asks; keys are kept
    hashed, their budgets beside them asked          the request's body, read once: messages, tests, budget, policy
    runner         plays the policy's `Stepper`: draws, judges, stops what is in flight at the first pass upstream a
    model that samples are drawn from; an engine in this process served         a model behind a server, asked for
    several samples in one call if it supports that ledger         what may be spent: the maximum is reserved durably
    before a call, and settled after it store          the ledger's rows in SQLite, append-only; many calls share one
    commit judging        a pool of judges of foreign tests, each serving one key at a time answers the answer:
    complete, or as a stream with heartbeats responses      OpenAI's responses as chats, text alone judge_service
    verdicts over HTTP, for machines that cannot confine

Everything that waits is asynchronous; the judge and embedded engines block, and have their own threads. Only `api` and
`cli` import the gateway. `amounts`, `budgets`, `asked`, `responses` and `answers` are pure.

Not covered: TLS (a proxy in front does that), several processes on one ledger, images and audio.
"""
