%% eval.erl -- evaluates Erlang inside the private broker, so that a test breaks something
%% in a millisecond where a rabbitmqctl call takes half a second.
%%
%% Listens on loopback, on a free port, which it writes to the file "eval.port" in the
%% broker's folder. A client first sends the line in ".erlang.cookie" there, then an
%% expression a line, "node().". Each answer is a line: "ok VALUE" or "error REASON".
-module(eval).
-export([start/0]).

start() ->
    spawn(fun listen/0).

listen() ->
    {ok, Cookie} = file:read_file(".erlang.cookie"),
    {ok, Listener} = gen_tcp:listen(0, [{ip, {127, 0, 0, 1}}, {packet, line}, {buffer, 65536},
                                        {nodelay, true}, {active, false}]),
    {ok, Port} = inet:port(Listener),
    ok = file:write_file("eval.port.new", integer_to_list(Port)),
    ok = file:rename("eval.port.new", "eval.port"),
    accept(Listener, binary_to_list(Cookie) ++ "\n").

accept(Listener, Cookie) ->
    {ok, Socket} = gen_tcp:accept(Listener),
    Client = spawn(fun() ->
        receive yours -> {ok, Cookie} = gen_tcp:recv(Socket, 0), answer(Socket) end
    end),
    ok = gen_tcp:controlling_process(Socket, Client),
    Client ! yours,
    accept(Listener, Cookie).

answer(Socket) ->
    case gen_tcp:recv(Socket, 0) of
        {ok, Line} ->
            ok = gen_tcp:send(Socket, [evaluate(Line), "\n"]),
            answer(Socket);
        {error, closed} ->
            ok
    end.

evaluate(Line) ->
    try
        {ok, Tokens, _} = erl_scan:string(Line),
        {ok, Expressions} = erl_parse:parse_exprs(Tokens),
        {value, Value, _} = erl_eval:exprs(Expressions, []),
        io_lib:format("ok ~0tp", [Value])
    catch
        _:Reason -> io_lib:format("error ~0tp", [Reason])
    end.
