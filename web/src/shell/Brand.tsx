export function Brand({ size = 24 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 32 32" aria-hidden focusable="false">
      <rect width="32" height="32" rx="8" fill="#4453d6" />
      <path d="M18.6 5.5 8.5 18.2h6.2l-1.3 8.3 10.1-12.7h-6.2z" fill="#fff" />
    </svg>
  );
}
