const WITH_BODY = new Set(['POST', 'PUT', 'PATCH', 'DELETE']);

/** An empty body counts as `{}` (contract, conventions), whatever its type. */
export function withBody(request: Request): Request {
  if (!WITH_BODY.has(request.method)) return request;
  const { headers } = request;
  const empty =
    headers.get('content-length') === '0' || (!headers.has('content-length') && !headers.has('transfer-encoding'));
  if (!empty) return request;
  const filled = new Headers(headers);
  filled.set('content-type', 'application/json');
  filled.delete('content-length');
  return new Request(request.url, { method: request.method, headers: filled, body: '{}' });
}
