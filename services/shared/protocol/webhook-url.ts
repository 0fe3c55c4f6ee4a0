/** Whether the address of a webhook names topics, as `/webhook/chat`: calls would publish those, and lose the `data` of their body. */
export function namesTopics(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { pathname, searchParams } = new URL(url);
  return pathname.startsWith('/webhook/') || searchParams.has('topic');
}
