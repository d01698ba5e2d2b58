"""Speak the RPC of TraceProcessor: send one message and receive a stream of messages.

The protocol is `protos/perfetto/trace_processor/trace_processor.proto` in Perfetto's sources. The
Perfetto UI speaks it to its WebAssembly, and the native shell answers it at `/rpc`. Unlike the
shell's older endpoints, which the `perfetto` package uses, it reports errors at the end of file.
"""

import abc
from collections.abc import Mapping
from typing import Any, BinaryIO

from google.protobuf.message import Message

from tp_tools import library
from tp_tools.engine._perfetto import ProtoFactory, TraceProcessorBackend
from tp_tools.errors import EngineError

REQUEST_BYTES = 1 << 20
"""Most bytes of a trace in one request."""

REQUEST_LIMIT = REQUEST_BYTES + 64
"""Most bytes of a request: the bytes of the trace, and a few tags and lengths."""


class RpcBackend(TraceProcessorBackend, abc.ABC):  # type: ignore[misc]
    """A backend for the `perfetto` package's TraceProcessor, on top of `_exchange`."""

    def __init__(self, protos: ProtoFactory) -> None:
        super().__init__(protos)
        self._has_library = False

    @abc.abstractmethod
    def _exchange(self, request: bytes) -> bytes:
        """Send one serialized request and return the serialized replies.

        Raises:
            EngineError: the engine died, or was dead or closed already.
        """

    def parse(self, chunk: bytes) -> Message:
        """Append the next bytes of the trace; return an `AppendTraceDataResult`."""
        view = memoryview(chunk)
        result: Any = self.protos.AppendTraceDataResult()
        for start in range(0, len(view), REQUEST_BYTES):
            block = bytes(view[start : start + REQUEST_BYTES])
            result = self._ask("TPM_APPEND_TRACE_DATA", "append_result", append_trace_data=block)
            if result.error:
                break
        answer: Message = result
        return answer

    def notify_eof(self) -> Message:
        """End the trace; return a `FinalizeDataResult`, whose `error` may be set."""
        return self._ask("TPM_FINALIZE_TRACE_DATA", "finalize_data_result")

    def execute_query(self, query: str) -> Message:
        """Run a script; return the rows of its last statement as one `QueryResult`.

        Before the first script that includes a module of the SQL library, its package `tpt` is
        registered, unless one of this name was.
        """
        if not self._has_library and library.includes_modules(query):
            self.register_package(library.PACKAGE, library.modules())
        args = self.protos.QueryArgs(sql_query=query)
        first, *others = self._call("TPM_QUERY_STREAMING", query_args=args)
        result: Message = first.query_result
        for reply in others:
            result.MergeFrom(reply.query_result)
        return result

    def register_package(self, name: str, modules: Mapping[str, str]) -> None:
        """Register modules that scripts can include; replace a package of the same name.

        Args:
            name: the name of the package, which is the first part of the modules' names.
            modules: SQL by name, such as "tpt.gpu_slice".

        Raises:
            EngineError: the engine refused the modules, or its version takes none.
        """
        package = {
            "package_name": name,
            "modules": [{"name": module, "sql": sql} for module, sql in modules.items()],
            "allow_override": True,
        }
        result: Any = self._ask(
            "TPM_REGISTER_SQL_PACKAGE",
            "register_sql_package_result",
            register_sql_package_args=package,
        )
        if result.error:
            raise EngineError(f"TraceProcessor refused the SQL package {name}: {result.error}")
        self._has_library |= name == library.PACKAGE

    def compute_metric(self, metrics: list[str]) -> Message:
        """Compute metrics by name; return a `ComputeMetricResult`."""
        args = self.protos.ComputeMetricArgs(metric_names=metrics)
        return self._ask("TPM_COMPUTE_METRIC", "metric_result", compute_metric_args=args)

    def trace_summary(
        self,
        specs: list[str | bytes],
        metric_ids: list[str] | None = None,
        metadata_query_id: str | None = None,
    ) -> Message:
        """Summarise the trace.

        Args:
            specs: `TraceSummarySpec`s, as text or binary.
            metric_ids: ids of the metrics to compute; None for all.
            metadata_query_id: id of the query in `specs` that returns the metadata.

        Returns:
            A `TraceSummaryResult`.
        """
        args = self.protos.TraceSummaryArgs()
        args.output_format = self.protos.TraceSummaryArgs.Format.BINARY_PROTOBUF
        if metric_ids is None:
            args.computation_spec.run_all_metrics = True
        else:
            args.computation_spec.metric_ids.extend(metric_ids)
        if metadata_query_id is not None:
            args.computation_spec.metadata_query_id = metadata_query_id
        for spec in specs:
            if isinstance(spec, str):
                args.textproto_specs.append(spec)
            else:
                args.proto_specs.add().ParseFromString(spec)
        return self._ask("TPM_SUMMARIZE_TRACE", "trace_summary_result", trace_summary_args=args)

    def enable_metatrace(self) -> None:
        """Start tracing TraceProcessor itself."""
        self._call("TPM_ENABLE_METATRACE")

    def disable_and_read_metatrace(self) -> Message:
        """End this tracing; return a `DisableAndReadMetatraceResult`."""
        return self._ask("TPM_DISABLE_AND_READ_METATRACE", "metatrace")

    def export(self, output_file: BinaryIO, export_format: str) -> None:
        """Write an export (`perfetto`, `arrow_tar`, `sqlite`) to a file; needs v59 or later."""
        args = self.protos.ExportArgs(format=export_format.upper())
        for reply in self._call("TPM_EXPORT", export_args=args):
            if reply.export_result.error:
                raise EngineError(f"export failed: {reply.export_result.error}")
            output_file.write(reply.export_result.data)

    def version(self) -> str:
        """Return the version that the engine states: "Perfetto v52.0-6b9586def (...)"."""
        status: Any = self._ask("TPM_GET_STATUS", "status")
        return str(status.human_readable_version)

    def _ask(self, method: str, field: str, **fields: object) -> Message:
        """Send a request that has one reply; return the `field` of the reply."""
        (reply,) = self._call(method, **fields)
        answer: Message = getattr(reply, field)
        return answer

    def _call(self, method: str, **fields: object) -> list[Any]:
        """Send a request; return its replies (`TraceProcessorRpc`), at least one.

        Raises:
            EngineError: see `_exchange`; or this version lacks the method.
        """
        message = self.protos.TraceProcessorRpc(request=method, **fields)
        stream = self.protos.TraceProcessorRpcStream(msg=[message])
        answer = self.protos.TraceProcessorRpcStream()
        answer.ParseFromString(self._exchange(stream.SerializeToString()))
        if not answer.msg:
            raise EngineError(f"TraceProcessor did not answer {method}")
        if answer.msg[-1].fatal_error:
            raise EngineError(f"TraceProcessor failed: {answer.msg[-1].fatal_error}")
        if answer.msg[0].HasField("invalid_request"):
            raise EngineError(f"this version of TraceProcessor does not know {method}")
        return list(answer.msg)
