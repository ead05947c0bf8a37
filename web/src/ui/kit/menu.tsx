import type { ContextMenu } from "@base-ui/react/context-menu";
import { Menu } from "@base-ui/react/menu";
import { createContext, useContext, type ComponentProps, type RefObject } from "react";

/** The landmark that something is drawn in. */
export const LandmarkContext = createContext<RefObject<HTMLElement | null> | undefined>(undefined);

interface PlaceProps extends ComponentProps<typeof Menu.Positioner> {
  as?: typeof Menu.Positioner | typeof ContextMenu.Positioner;
}

/** Where a menu opens: at the end of the landmark that it belongs to, so that whoever goes by landmarks meets it there; nothing around cuts it off. */
export function MenuPlace({ as: Positioner = Menu.Positioner, ...how }: PlaceProps) {
  return (
    <Menu.Portal container={useContext(LandmarkContext)}>
      <Positioner className="positioner" positionMethod="fixed" {...how} />
    </Menu.Portal>
  );
}
